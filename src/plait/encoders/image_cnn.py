"""A small residual CNN for small images, trained from scratch."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from plait.encoders.augment import Augment
from plait.encoders.grid import grid_boxes
from plait.encoders.layout import Layout
from plait.encoders.pixels import Pixels
from plait.processors import ImageProcessor
from plait.types import Tokens


class ResidualStage(nn.Module):
    """Convolve and halve, then refine at that size with a residual (1512.03385)."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.halve = nn.Sequential(
            nn.Conv2d(in_width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(2),  # before the ReLU, which commutes with it and is four times cheaper after
            nn.ReLU(inplace=True),
        )
        self.refine = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.halve(x)
        return x + self.refine(x)


class ResidualCNN(nn.Module):
    """Right for drawings, icons, scans and crops of 32 to 128 pixels; each stage halves the image.

    Args:
        processor: prepares the images.
        widths: channels of the stages; the image's side must be at least `2 ** len(widths)`.
        dim: D of the tokens.
        shift, zoom, flip, light: augmentation, see `Augment`.
        dropout: on the tokens.
        tokens: `all` gives a token a cell; `flat` one of all cells side by side through a linear map, which knows where
            things lie: a fusion that takes the mean of the cells does not.

    Shapes: `{"pixels": [U, 3, S, S] uint8}` → Tokens `[U, (S / 2**stages)**2, dim]` with boxes, or `[U, 1, dim]`.

    Raises:
        ValueError: the images are smaller than the stages can halve.

    >>> encoder = ResidualCNN(ImageProcessor(size=32), widths=[8, 16], dim=24)
    >>> encoder({"pixels": torch.zeros(2, 3, 32, 32, dtype=torch.uint8)}).x.shape
    torch.Size([2, 64, 24])
    """

    modality = "image"
    fit_processor = ImageProcessor.fit

    def __init__(
        self,
        processor: ImageProcessor,
        widths: Sequence[int] = (32, 64, 128),
        dim: int = 128,
        shift: int = 2,
        zoom: float = 0.0,
        flip: bool = False,
        light: float = 0.0,
        dropout: float = 0.0,
        tokens: Literal["all", "flat"] = "all",
    ) -> None:
        super().__init__()
        if tokens not in ("all", "flat"):
            raise ValueError(f"tokens: expected all or flat, got {tokens!r}")
        if processor.size < 2 ** len(widths):
            raise ValueError(f"{len(widths)} stages need images of {2 ** len(widths)} px, got {processor.size}")
        self.processor = processor
        self.out_dim = dim
        self.pixels = Pixels(augment=Augment(shift, zoom, flip, light))
        self.stages = nn.Sequential(*[ResidualStage(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True)])
        self.project = nn.Conv2d(widths[-1], dim, 1)
        cells = (processor.size // 2 ** len(widths)) ** 2
        self.flat = nn.Linear(cells * dim, dim) if tokens == "flat" else None
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """A box a cell; nothing for the one token of `flat`."""
        if self.flat is not None:
            return Layout()
        pixels, side = features["pixels"], self.processor.size // 2 ** len(self.stages)
        return Layout(None, grid_boxes(side, side, len(pixels), pixels.device))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        x = self.project(self.stages(self.pixels(features["pixels"])))  # [U, dim, h, w]
        if self.flat is not None:
            return Tokens.single(self.dropout(self.flat(x.permute(0, 2, 3, 1).flatten(1))))
        x = self.dropout(x.flatten(2).transpose(1, 2))
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return Tokens(x, mask, self.layout(features).where)
