"""Bilinear superdiagonal fusion."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from plait.layers import ModalityProjection, product_of_present, signed_root
from plait.types import Fused, Tokens


class BlockFusion(nn.Module):
    """BLOCK (1902.00038): vectors are cut into chunks; within a chunk a bilinear product of low rank, signed square
    root and length one; the chunks side by side through a linear map. Between MLB (chunks of one number) and a whole
    bilinear product (one chunk).

    The paper fuses two; more are more factors. A missing modality is a factor of one.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the chunks.
        chunks: number of chunks, a divisor of `out_dim`; None for the largest that is at most 16.
        rank: of the product within a chunk.

    Raises:
        ValueError: `chunks` does not divide `out_dim`.

    >>> fusion = BlockFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        chunks: int | None = None,
        rank: int = 8,
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        chunks = chunks or max(c for c in range(1, 17) if out_dim % c == 0)
        if out_dim % chunks:
            raise ValueError(f"{chunks} chunks do not divide the width {out_dim}")
        size = out_dim // chunks
        self.rank = rank
        self.weight = nn.Parameter(torch.empty(len(in_dims), chunks, size, rank * size))
        self.bias = nn.Parameter(torch.zeros(len(in_dims), chunks, rank * size))
        nn.init.uniform_(self.weight, -(size**-0.5), size**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(out_dim, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        chunked_BMCS = vectors_BMH.unflatten(2, (self.weight.shape[1], -1))
        factors = torch.einsum("bmcs,mcsf->bmcf", chunked_BMCS, self.weight) + self.bias
        product = product_of_present(factors.flatten(2), present_BM)
        chunks_BCS = product.unflatten(1, (self.weight.shape[1], self.rank, -1)).sum(dim=2)
        chunks_BCS = F.normalize(signed_root(chunks_BCS), dim=2)
        return Fused(self.mix(self.dropout(chunks_BCS.flatten(1))), lambda: self.project.tokens(tokens))
