"""Multimodal low-rank bilinear pooling."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection, product_of_present
from plait.types import Fused, Tokens


class MLBFusion(nn.Module):
    """MLB (1610.04325): `P (tanh(U v_1) * … * tanh(U v_M)) + b`.

    The paper multiplies two; more are more factors. A missing modality is a factor of one.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the product.

    >>> fusion = MLBFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(out_dim, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        product_BH = product_of_present(torch.tanh(vectors_BMH), present_BM)
        return Fused(self.mix(self.dropout(product_BH)), lambda: self.project.tokens(tokens))
