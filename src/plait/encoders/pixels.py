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
        mean_C, std_C = torch.tensor(mean), torch.tensor(std)
        self.register_buffer("scale", 1 / (255 * std_C), persistent=False)
        self.register_buffer("offset", -mean_C / std_C, persistent=False)
        self.augment = augment

    def forward(self, pixels: Tensor) -> Tensor:
        count, channels, height, width = pixels.shape
        # An image's line is one run of W * C numbers, so that the multiply-add runs at the speed of memory.
        lines = pixels.permute(0, 2, 3, 1).reshape(count * height, width * channels).float()
        out = None if torch.jit.is_tracing() else lines  # OpenVINO can't convert a write in place
        lines = torch.addcmul(self.offset.repeat(width), lines, self.scale.repeat(width), out=out)
        images = lines.view(count, height, width, channels).permute(0, 3, 1, 2)
        return images if self.augment is None else self.augment(images)
