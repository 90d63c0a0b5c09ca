"""Add the modalities."""

from collections.abc import Mapping

from torch import nn

from plait.layers import ModalityProjection
from plait.types import Fused, Tokens


class SumFusion(nn.Module):
    """`v_1 + … + v_M`, where v_m is the projected mean of modality m; a missing one adds nothing.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the projected vectors.

    >>> import torch
    >>> fusion = SumFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, _ = self.project.vectors(tokens)
        return Fused(self.dropout(vectors_BMH).sum(dim=1), lambda: self.project.tokens(tokens))
