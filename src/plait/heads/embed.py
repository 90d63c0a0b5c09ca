"""Vectors of a shared space, scaled so that their dot products are logits."""

import math

import torch
from torch import Tensor, nn

from plait.types import Fused


class EmbedHead(nn.Module):
    """Learns the temperature that similarities are divided by, and a bias for losses that judge each pair by itself.

    Its rows hold all that a loss needs, so batches can be cut, gathered from several processes and run again.

    Args:
        target: the name of its answer.
        names: modalities, in the order of the vectors.
        temperature: the initial one.
        bias: the initial one.
        learned: whether both are learned.

    Shapes: Fused `[B, M * D]` → `{target: [B, M, D + 1]}`; the last number of each vector is the bias.

    >>> head = EmbedHead("pairs", ["photo", "title"], temperature=0.25)
    >>> vectors = head(Fused(torch.ones(1, 2) , lambda: None))["pairs"]
    >>> round(float(vectors[0, 0, :-1] @ vectors[0, 1, :-1]), 4)
    4.0
    """

    LARGEST = 100.0  # the largest factor on similarities, as in CLIP

    def __init__(
        self, target: str, names: list[str], temperature: float = 0.07, bias: float = 0.0, learned: bool = True
    ) -> None:
        super().__init__()
        self.target, self.count = target, len(names)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learned)
        self.bias = nn.Parameter(torch.tensor(bias), requires_grad=learned)

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        vectors = fused.pooled.view(len(fused.pooled), self.count, -1)
        # The root of the scale on each vector: the dot product of two has the whole scale.
        root = (self.log_scale.clamp(max=math.log(self.LARGEST)) / 2).exp()
        bias = self.bias.expand(*vectors.shape[:2], 1)
        return {self.target: torch.cat([vectors * root, bias], dim=2)}
