"""Concatenate the modalities: the baseline of the field."""

from collections.abc import Mapping

from torch import Tensor, nn

from plait.layers import ModalityProjection
from plait.types import Fused, Tokens


class ConcatFusion(nn.Module):
    """`W [v_1; …; v_M] + b`, where v_m is the projected mean of modality m, zero where missing.

    Stage: mid. Early multimodal networks (Ngiam et al., ICML 2011) fuse so.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the projected vectors.

    >>> import torch
    >>> fusion = ConcatFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fused = fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)})
    >>> fused.pooled.shape, fused.tokens.x.shape
    (torch.Size([2, 16]), torch.Size([2, 2, 16]))
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(len(in_dims) * out_dim, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, _ = self.project.vectors(tokens)
        pooled: Tensor = self.mix(self.dropout(vectors_BMH.flatten(1)))
        return Fused(pooled, lambda: self.project.tokens(tokens))
