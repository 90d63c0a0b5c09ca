"""Video encoders of transformers: VideoMAE."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from torch import Tensor, nn

from plait.encoders.dual_hf import HfDualImage, channels_of
from plait.encoders.layout import Layout
from plait.encoders.pixels import Pixels
from plait.encoders.text_pretrained import load_hf, model_of, source_of
from plait.encoders.tuning import blocks_of
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError
from plait.processors.video import Seconds, VideoProcessor
from plait.types import Tokens

VIDEOMAE = "videomae"
Pool = Literal["mean", "none"]


class HfVideo(nn.Module):
    """VideoMAE (2203.12602) as transformers has it: tubes of two frames through one transformer.

    Args:
        processor: picks as many frames as the model reads, and prepares them as it was trained.
        name: a hub name, a folder that `save_pretrained` wrote, or nothing with `config`.
        pool: `mean` of the tubes, or `none` for a token a pair of frames (the mean over its places), with its seconds.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"pixels": [U, F, 3, S, S] uint8, "where": [U, F, 2], "mask": [U, F]}` → Tokens `[U, 1 or F / 2, D]`.

    Raises:
        RecipeError: the folder holds another model.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "video"

    def __init__(
        self, processor: VideoProcessor, name: str, pool: Pool = "mean", config: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        if pool not in get_args(Pool):
            raise ValueError(f"pool: expected mean or none, got {pool!r}")
        self.processor, self.pool = processor, pool
        self.backbone: Any = load_hf("AutoModel", name) if config is None else model_of("AutoModel", config["video"])
        shape = self.backbone.config
        if shape.model_type != VIDEOMAE:
            raise RecipeError(f"hf:{name}: a model of the kind {shape.model_type} reads no video; known: {VIDEOMAE}")
        self.backbone.float()
        channels = channels_of(name) if config is None else config["channels"]
        self.pixels = Pixels(channels["mean"], channels["std"])
        self.config: dict[str, Any] = {"video": shape.to_dict(), "channels": channels}
        self.out_dim: int = shape.hidden_size
        self.weights: Weights | None = None
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(self.backbone))

    @staticmethod
    def make_processor(name: str, seconds: Seconds = 3_600.0) -> VideoProcessor:
        """Frames as the model was trained with, evenly spread over the video."""
        image = HfDualImage.make_processor(name)
        count = int(load_hf("AutoConfig", name).num_frames)
        return VideoProcessor(image.to_json(), count, seconds=seconds, exact=True)

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters by depth; see `blocks_of`."""
        return blocks_of(self.backbone)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole video; else the seconds of each pair of frames."""
        if self.pool == "mean":
            return Layout()
        tube = self.backbone.config.tubelet_size
        mask, where = features["mask"].unflatten(1, (-1, tube)), features["where"].unflatten(1, (-1, tube))
        return Layout(mask.any(dim=2), where[:, :, [0, -1], [0, 1]])

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        pixels = features["pixels"]
        images = self.pixels(pixels.flatten(0, 1)).to(next(self.backbone.parameters()).dtype)
        x = self.backbone(pixel_values=images.unflatten(0, pixels.shape[:2])).last_hidden_state
        if self.pool == "mean":
            return Tokens.single(x.mean(dim=1))
        mask, where = self.layout(features)
        assert mask is not None
        return Tokens(x.unflatten(1, (mask.shape[1], -1)).mean(dim=2), mask, where)
