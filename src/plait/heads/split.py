"""A late fusion's answer, split by target."""

from collections.abc import Mapping

from torch import Tensor, nn

from plait.layers import at_least_float32
from plait.types import Fused


class SplitHead(nn.Module):
    """The columns of `pooled` that belong to each target; nothing to learn.

    Args:
        out_dims: target → how many numbers.

    >>> import torch
    >>> head = SplitHead({"answer": 3, "price": 1})
    >>> {name: tuple(x.shape) for name, x in head(Fused(torch.zeros(2, 4), lambda: None)).items()}
    {'answer': (2, 3), 'price': (2, 1)}
    """

    def __init__(self, out_dims: Mapping[str, int]) -> None:
        super().__init__()
        self.out_dims = dict(out_dims)

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        columns = at_least_float32(fused.pooled).split(list(self.out_dims.values()), dim=1)
        return dict(zip(self.out_dims, columns, strict=True))
