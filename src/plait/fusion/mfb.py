"""Multimodal factorised bilinear pooling."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from plait.layers import ModalityProjection, NamedModules, product_of_present, signed_root
from plait.types import Fused, Tokens


class MFBFusion(nn.Module):
    """MFB (1708.01471): a product in `factors` times the width, dropout, the sum over the factors, signed square root,
    and a vector of length one.

    The paper multiplies two; more are more factors of the product. A missing modality is a factor of one.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the product.
        factors: numbers that are summed into one (the paper's k).

    >>> fusion = MFBFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, factors: int = 5) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.expand = NamedModules({name: nn.Linear(out_dim, factors * out_dim) for name in in_dims})
        self.factors = factors
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        expanded = [expand(vectors_BMH[:, i]) for i, (_, expand) in enumerate(self.expand.items())]
        product = self.dropout(product_of_present(torch.stack(expanded, dim=1), present_BM))
        pooled = F.normalize(signed_root(product.unflatten(1, (-1, self.factors)).sum(dim=2)), dim=1)
        return Fused(pooled, lambda: self.project.tokens(tokens))
