"""Vectors of a shared space, scaled so that their dot products are logits."""

import math

import torch
from torch import Tensor, nn

from plait.types import Fused


class EmbedHead(nn.Module):
    """Learns the temperature that similarities are divided by, and a bias for losses that ask about each pair.

    All that a loss needs is in the rows that it gives, so batches can be cut, gathered from processes and run again.

    Args:
        target: the name that its answer has.
        names: modalities, in the order of the vectors.
        temperature: what similarities are divided by to begin with.
        bias: added to them to begin with.
        learned: both are learned.

    Shapes: Fused `[B, M * D]` → `{target: [B, M, D + 1]}`; the last number of each vector is the bias.

    >>> head = EmbedHead("pairs", ["photo", "title"], temperature=0.25)
    >>> found = head(Fused(torch.ones(1, 2) , lambda: None))["pairs"]
    >>> round(float(found[0, 0, :-1] @ found[0, 1, :-1]), 4)
    4.0
    """

    LARGEST = 100.0  # what similarities are multiplied by at most, as in CLIP

    def __init__(
        self, target: str, names: list[str], temperature: float = 0.07, bias: float = 0.0, learned: bool = True
    ) -> None:
        super().__init__()
        self.target, self.count = target, len(names)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learned)
        self.bias = nn.Parameter(torch.tensor(bias), requires_grad=learned)

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        vectors = fused.pooled.view(len(fused.pooled), self.count, -1)
        root = (self.log_scale.clamp(max=math.log(self.LARGEST)) / 2).exp()
        bias = self.bias.expand(*vectors.shape[:2], 1)
        return {self.target: torch.cat([vectors * root, bias], dim=2)}
