"""uint8 pixels → the numbers that a network was trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from plait.encoders.augment import Augment


class Pixels(nn.Module):
    """Normalise, and augment in training.

    Args:
        mean, std: of each channel, in 0..1.
        augment: what to change in training; None for nothing.

    Shapes: `[U, 3, H, W]` uint8 → the same in float32, channels last.

    >>> Pixels()(torch.zeros(1, 3, 2, 2, dtype=torch.uint8)).unique().tolist()
    [-1.0]
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        mean_C11, std_C11 = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)
        self.register_buffer("scale", 1 / (255 * std_C11), persistent=False)
        self.register_buffer("offset", -mean_C11 / std_C11, persistent=False)
        self.augment = augment

    def forward(self, pixels: Tensor) -> Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        pictures = torch.addcmul(self.offset, pixels.float(), self.scale)
        return pictures if self.augment is None else self.augment(pictures)
