"""The tensor fusion without its tensor."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection, NamedModules
from plait.types import Fused, Tokens


class LowRankFusion(nn.Module):
    """LMF (1806.00064): the weight of a tensor fusion as a sum of `rank` products of one factor a modality,
    `sum over r of a_r * (F_1r (v_1; 1)) * … * (F_Mr (v_M; 1)) + b`. The cost is linear in the number of modalities.

    The factor of the appended one starts at 1 and not at random, so that a missing modality (v = 0) starts as a factor
    of one and eight factors neither vanish nor explode.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the projected vectors.
        rank: number of products.

    >>> fusion = LowRankFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, rank: int = 8) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.factors = NamedModules({name: nn.Linear(out_dim, rank * out_dim) for name in in_dims})
        for _, factor in self.factors.items():
            nn.init.ones_(factor.bias)
        self.weights = nn.Parameter(torch.full((rank,), 1 / rank))
        self.bias = nn.Parameter(torch.zeros(out_dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, _ = self.project.vectors(tokens)
        vectors_BMH = self.dropout(vectors_BMH)
        factors = [factor(vectors_BMH[:, i]) for i, (_, factor) in enumerate(self.factors.items())]
        product_BRH = torch.stack(factors).prod(dim=0).unflatten(1, (len(self.weights), -1))
        pooled = torch.einsum("brh,r->bh", product_BRH, self.weights.to(product_BRH.dtype)) + self.bias
        return Fused(pooled, lambda: self.project.tokens(tokens))
