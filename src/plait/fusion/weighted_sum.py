"""Add the modalities, each with a learned weight."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection
from plait.types import Fused, Tokens


class WeightedSumFusion(nn.Module):
    """`w_1 v_1 + … + w_M v_M`: one weight a modality, positive and adding to one over those that a row has.

    After training `weights()` says how much each modality is heard. The scalar mix of ELMo (1802.05365), over
    modalities instead of layers.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the projected vectors.

    >>> fusion = WeightedSumFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.logits = nn.Parameter(torch.zeros(len(in_dims)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        weights_BM = self.logits.softmax(dim=0) * present_BM
        weights_BM = weights_BM / weights_BM.sum(dim=1, keepdim=True).clamp(min=1e-6)
        pooled = (weights_BM.unsqueeze(-1) * self.dropout(vectors_BMH)).sum(dim=1)
        return Fused(pooled, lambda: self.project.tokens(tokens))

    def weights(self) -> dict[str, float]:
        """The weight of each modality where a row has all."""
        return dict(zip(self.project.linears, self.logits.softmax(dim=0).tolist(), strict=True))
