"""A small CNN over the frames of a video, and a GRU or transformer over time, trained from scratch."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.augment import Augment
from plait.encoders.layout import Layout
from plait.encoders.pixels import Pixels
from plait.encoders.video_frames import VideoEncoder
from plait.processors.video import VideoProcessor
from plait.types import Tokens


class FrameStage(nn.Module):
    """Halve height and width by a strided convolution, then refine with a residual (1512.03385).

    A stage of `ResidualCNN` convolves before it halves, which costs four times as much, and a video has many frames.
    """

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(in_width, width, 3, stride=2, padding=1, bias=False)
        self.halve_norm = nn.BatchNorm2d(width)
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(width)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = F.relu(self.halve_norm(self.halve(x_NCHW)), inplace=True)
        return x + F.relu(self.refine_norm(self.refine(x)), inplace=True)


class FrameCNN(nn.Module):
    """A frame as one vector that says where in it things are.

    Args:
        size: pixels a side.
        widths: channels of the stages.
        dim: D of the vector.
        augment: of whole videos; see `FrameEncoder`.
        dropout: on the vector.

    Shapes: `{"pixels": [N, 3, S, S]}` → Tokens `[N, 1, dim]`.

    Raises:
        ValueError: there are more stages than the frames can be halved.
    """

    def __init__(self, size: int, widths: Sequence[int], dim: int, augment: Augment, dropout: float) -> None:
        super().__init__()
        if size < 2 ** len(widths):
            raise ValueError(f"{len(widths)} stages need frames of {2 ** len(widths)} px, got {size}")
        self.out_dim = dim
        self.pixels = Pixels(augment=augment)
        self.stages = nn.Sequential(*[FrameStage(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True)])
        side = size
        for _ in widths:
            side = -(-side // 2)
        self.project = nn.Linear(side * side * widths[-1], dim)
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        x = self.stages(self.pixels(features["pixels"])).permute(0, 2, 3, 1).flatten(1)
        return Tokens.single(self.dropout(self.project(x)))


class VideoCNN(nn.Module):
    """Right for actions and events of small pictures; real scenes want an encoder of images that has seen some.

    Augmentation changes all frames of a video alike.

    Args:
        processor: picks and prepares the frames.
        widths: channels of the CNN's stages; each halves height and width.
        dim: D of the tokens, of the frames and of what reads them.
        shift, zoom, flip, light: augmentation, see `Augment`.
        dropout: on the frames' vectors, and in what reads them.
        temporal: `gru`, `transformer` or `mean`, see `VideoEncoder`.
        layers: of GRU (1) or transformer (2).
        heads: of the transformer (4).

    Shapes: `{"pixels": [U, F, 3, S, S] uint8, "where": [U, F, 2], "mask": [U, F]}` → Tokens `[U, F, dim]` with their
    seconds; of `mean` `[U, 1, dim]`.

    >>> processor = VideoProcessor({"size": 16}, frames=4)
    >>> VideoCNN(processor, widths=[4, 8], dim=16)(processor.collate([processor.blank()])).x.shape
    torch.Size([1, 1, 16])
    """

    modality = "video"
    fit_processor = VideoProcessor.fit

    def __init__(
        self,
        processor: VideoProcessor,
        widths: Sequence[int] = (32, 64, 128),
        dim: int = 128,
        shift: int = 0,
        zoom: float = 0.0,
        flip: bool = False,
        light: float = 0.0,
        dropout: float = 0.1,
        temporal: str = "gru",
        layers: int | None = None,
        heads: int | None = None,
    ) -> None:
        super().__init__()
        self.processor = processor
        image = FrameCNN(processor.of_frames.size, widths, dim, Augment(shift, zoom, flip, light), dropout)
        width, between = (None, None) if temporal == "mean" else (dim, dropout)  # both are of the frames, too
        self.video = VideoEncoder(processor, image, temporal, width, layers, heads, between)
        self.out_dim = self.video.out_dim

    before = property(lambda self: self.video.before, doc="What gives a vector a frame.")
    after = property(lambda self: self.video.after, doc="What reads the vectors in order.")
    make_after = property(lambda self: self.video.make_after, doc="Makes another of these, untrained.")

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which frames are real, and the seconds that each stands for; of `mean` one vector."""
        return self.video.layout(features)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        tokens: Tokens = self.video(features)
        return tokens
