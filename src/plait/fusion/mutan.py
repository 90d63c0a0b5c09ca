"""Multimodal Tucker fusion."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection, NamedModules, product_of_present
from plait.types import Fused, Tokens


class MutanFusion(nn.Module):
    """MUTAN (1705.06676): a Tucker decomposition whose core has low rank,
    `sum over r of (M_1r q_1) * … * (M_Mr q_M)` with `q = tanh(v)`.

    The paper fuses two; more are more factors. A missing modality is a factor of one.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on each q.
        rank: terms of the sum (the paper's R).

    >>> fusion = MutanFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, rank: int = 5) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.factors = NamedModules({name: nn.Linear(out_dim, rank * out_dim) for name in in_dims})
        self.rank = rank
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        vectors_BMH = self.dropout(torch.tanh(vectors_BMH))
        factors = [factor(vectors_BMH[:, i]) for i, (_, factor) in enumerate(self.factors.items())]
        product = product_of_present(torch.stack(factors, dim=1), present_BM)
        return Fused(product.unflatten(1, (self.rank, -1)).sum(dim=1), lambda: self.project.tokens(tokens))
