"""Several heads over one fusion, for targets of different kinds."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from plait.types import Fused


class TogetherHead(nn.Module):
    """What each of several heads says.

    Args:
        heads: no two of them answer the same target.

    >>> import torch
    >>> from plait.heads import PredictHead
    >>> head = TogetherHead([PredictHead(4, {"kind": 3}), PredictHead(4, {"price": 1})])
    >>> {name: tuple(x.shape) for name, x in head(Fused(torch.zeros(2, 4), lambda: None)).items()}
    {'kind': (2, 3), 'price': (2, 1)}
    """

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    @property
    def reads(self) -> str | None:
        """An input whose tokens one of them reads; None where all read what is fused."""
        named = (getattr(head, "reads", None) for head in self.heads)
        return next((name for name in named if name is not None), None)

    def forward(self, fused: Fused) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for head in self.heads:
            said.update(head(fused))
        return said
