"""The outer product of all modalities."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection, NamedModules
from plait.types import Fused, Tokens

LARGEST = 16_384  # elements of the outer product


class TensorFusion(nn.Module):
    """TFN (1707.07250): `W (v_1; 1) x … x (v_M; 1)`, the outer product, which holds every product of every subset.

    The ones make a missing modality (v = 0) leave the products of the others as they are. The product grows as
    `(width + 1) ** M`: for more than the paper's three modalities the default width shrinks so that it stays below
    16,384 elements (eight modalities have two numbers each; `low_rank` does not have this limit).

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the outer product.
        width: numbers a modality; None for as many as fit, 32 at most.

    Raises:
        ValueError: the outer product would have more than 16,384 elements.

    >>> fusion = TensorFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, width: int | None = None
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        count = len(in_dims)
        width = width or next(w for w in range(32, 0, -1) if (w + 1) ** count <= LARGEST)
        if (width + 1) ** count > LARGEST:
            raise ValueError(
                f"the outer product of {count} modalities of width {width} has {(width + 1) ** count:,} elements, "
                f"more than {LARGEST:,}; lower width, or use low_rank"
            )
        self.shrink = NamedModules({name: nn.Linear(out_dim, width, bias=False) for name in in_dims})
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear((width + 1) ** count, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, _ = self.project.vectors(tokens)
        rows = len(vectors_BMH)
        one_B1 = vectors_BMH.new_ones(rows, 1)
        outer = one_B1
        for position, shrink in enumerate(self.shrink.items()):
            factor = torch.cat([shrink[1](vectors_BMH[:, position]).to(one_B1.dtype), one_B1], dim=1)
            outer = (outer.unsqueeze(2) * factor.unsqueeze(1)).flatten(1)
        return Fused(self.mix(self.dropout(outer)), lambda: self.project.tokens(tokens))
