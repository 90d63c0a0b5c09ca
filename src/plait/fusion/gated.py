"""Gated multimodal unit."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection
from plait.types import Fused, Tokens


class GatedFusion(nn.Module):
    """GMU (1702.01992): `sum of z_m * tanh(v_m)`, where the gates z read all modalities.

    For two modalities the paper ties the gates as z and 1 - z; for more it gives each its own sigmoid gate. Here
    every number of modalities has its own gates. A missing modality has its gate shut.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the fused vector.

    >>> fusion = GatedFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.gate = nn.Linear(len(in_dims) * out_dim, len(in_dims) * out_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        gates_BMH = torch.sigmoid(self.gate(vectors_BMH.flatten(1))).view_as(vectors_BMH)
        gates_BMH = gates_BMH * present_BM.unsqueeze(-1)
        pooled = (gates_BMH * torch.tanh(vectors_BMH)).sum(dim=1)
        return Fused(self.dropout(pooled), lambda: self.project.tokens(tokens))
