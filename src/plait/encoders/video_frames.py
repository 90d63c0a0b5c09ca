"""Video by any image encoder, frame by frame, and a module that reads the frames in their order."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from plait.encoders.layout import WHERE, Layout
from plait.encoders.weights import Weights
from plait.layers import temporal_maker
from plait.processors.video import VideoProcessor
from plait.types import Tokens


class FrameEncoder(nn.Module):
    """Each frame through an image encoder, as one vector: what is stored where that encoder is frozen.

    The image encoder's augmentation changes all frames of a video alike.

    Args:
        processor: picks and prepares the frames.
        image: an encoder of images; several tokens of a frame become their mean.

    Shapes: `{"pixels": [U, F, 3, S, S] uint8, "where": [U, F, 2], "mask": [U, F]}` → Tokens `[U, F, D]`.
    """

    modality = "video"

    def __init__(self, processor: VideoProcessor, image: Any) -> None:
        super().__init__()
        self.processor, self.image = processor, image
        self.out_dim: int = image.out_dim
        self.eager_only = bool(getattr(image, "eager_only", False))
        pixels: Any = getattr(image, "pixels", None)
        self.augment: nn.Module | None = getattr(pixels, "augment", None)
        if self.augment is not None:
            pixels.augment = None
        # What the image encoder is set to, for the key of what is stored.
        settings = {k: v for k, v in vars(image).items() if isinstance(v, str | int | float) and k != "training"}
        self.settings = f"{type(image).__name__} {sorted(settings.items())}"

    @property
    def backbone(self) -> nn.Module:
        """The image encoder's own."""
        backbone: nn.Module = self.image.backbone
        return backbone

    @property
    def weights(self) -> Weights | None:
        """Where the image encoder's weights are from."""
        return getattr(self.image, "weights", None)

    def blocks(self) -> list[list[nn.Parameter]]:
        """The image encoder's parameters by depth."""
        blocks: list[list[nn.Parameter]] = self.image.blocks()
        return blocks

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which frames are real, and the seconds that each stands for."""
        return Layout(features["mask"], features[WHERE])

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        pixels = features["pixels"]
        videos, frames = pixels.shape[:2]
        if self.training and self.augment is not None:  # a video as one image of many channels
            pixels = self.augment(pixels.flatten(1, 2).float()).view(pixels.shape)
        x = self.image({"pixels": pixels.flatten(0, 1)}).x.mean(dim=1)
        mask = features["mask"]
        x = x.view(videos, frames, -1).masked_fill(~mask.unsqueeze(2), 0)  # a graph would lose what it does not read
        return Tokens(x, mask, features.get(WHERE))


class VideoEncoder(nn.Module):
    """Frames through an image encoder, and then through a module that reads them in order and at their times.

    Where the image encoder is frozen its vectors are stored, a frame each, and the rest trains on them.

    Args:
        processor: picks and prepares the frames.
        image: an encoder of images.
        temporal: `gru`, which learns from few videos what comes right after what; `transformer`, which wants many; or
            `mean` of the frames, which has nothing to train.
        temporal_dim: D of the tokens (128); of `mean` it is the image encoder's.
        temporal_layers: of GRU (1) or transformer (2).
        temporal_heads: of the transformer (4).
        temporal_dropout: in both (0.1).

    Shapes: `{"pixels": [U, F, 3, S, S] uint8, "where": [U, F, 2], "mask": [U, F]}` → Tokens `[U, F, D]` with their
    seconds; of `mean` `[U, 1, D]`.

    Raises:
        ValueError: there is no such module, or it does not read a setting.

    >>> from plait.encoders.image_cnn import ResidualCNN
    >>> processor = VideoProcessor({"size": 16}, frames=4)
    >>> image = ResidualCNN(processor.of_frames, widths=[4], dim=8)
    >>> encoder = VideoEncoder(processor, image, temporal_dim=16)
    >>> encoder(processor.collate([processor.blank()])).x.shape
    torch.Size([1, 1, 16])
    """

    modality = "video"

    def __init__(
        self,
        processor: VideoProcessor,
        image: Any,
        temporal: str = "gru",
        temporal_dim: int | None = None,
        temporal_layers: int | None = None,
        temporal_heads: int | None = None,
        temporal_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.processor, self.temporal = processor, temporal
        self.before = FrameEncoder(processor, image)
        shape = {"dim": temporal_dim, "layers": temporal_layers, "heads": temporal_heads, "dropout": temporal_dropout}
        # Called, it gives another module that reads the frames in order, untrained; it holds nothing of this one.
        self.make_after = temporal_maker(temporal, self.before.out_dim, **shape)
        self.after = self.make_after()
        self.out_dim: int = self.after.out_dim

    @property
    def config(self) -> dict[str, Any]:
        """The image encoder's configuration, where it has one."""
        return dict(getattr(self.before.image, "config", None) or {})

    @property
    def weights(self) -> Weights | None:
        """Where the image encoder's weights are from."""
        return self.before.weights

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which frames are real, and the seconds that each stands for; of `mean` one vector."""
        return Layout() if self.temporal == "mean" else self.before.layout(features)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        tokens: Tokens = self.after(self.before(features))
        return tokens
