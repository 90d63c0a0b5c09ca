"""Any image encoder of timm, pretrained or not."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plait.encoders.augment import Augment
from plait.encoders.grid import grid_boxes
from plait.encoders.layout import Layout
from plait.encoders.pixels import Pixels
from plait.encoders.weights import Weights, hash_weights, require_hub
from plait.errors import RecipeError, import_extra, unknown
from plait.processors import ImageProcessor
from plait.processors.image import Resize
from plait.types import Tokens


class TimmImage(nn.Module):
    """A timm model without its classifier.

    Args:
        processor: prepares images as the model was trained; see `TimmImage.make_processor`.
        name: timm's name, such as `resnet50` or `vit_small_patch16_224.augreg_in21k`.
        pretrained: load timm's weights (from the hub's cache, or downloaded and said so).
        tokens: `pooled` gives the model's own pooled vector as one token, `all` the feature map or patch tokens.
        layers: give each block's output too, pooled alike, for layer-wise fusion (vision transformers).
        mean, std: of each channel, in 0..1; by default those that the weights were trained with.
        shift, zoom, flip, light: augmentation, see `Augment`; used where the encoder trains.

    Shapes: `{"pixels": [U, 3, S, S] uint8}` → Tokens `[U, 1 or T, D]`.

    Raises:
        RecipeError: timm has no such model, or one whose layers differ in width is asked for them.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "image"

    def __init__(
        self,
        processor: ImageProcessor,
        name: str,
        pretrained: bool = True,
        tokens: Literal["pooled", "all"] = "pooled",
        layers: bool = False,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        shift: int = 0,
        zoom: float = 0.0,
        flip: bool = False,
        light: float = 0.0,
    ) -> None:
        super().__init__()
        timm = import_extra("timm", "pretrained")
        config = data_config(name)
        if pretrained:
            require_weights(name)
        self.processor = processor
        self.tokens = tokens
        self.layers = layers
        self.pixels = Pixels(mean or config["mean"], std or config["std"], Augment(shift, zoom, flip, light))
        sized = {"img_size": processor.size} if _takes_img_size(timm, name) else {}
        self.backbone = timm.create_model(name, pretrained=pretrained, num_classes=0, **sized)
        pooled_dim = getattr(self.backbone, "head_hidden_size", None) or self.backbone.num_features
        self.out_dim: int = pooled_dim if tokens == "pooled" else self.backbone.num_features
        if layers and len({info["num_chs"] for info in self.backbone.feature_info}) != 1:
            raise RecipeError(f"timm:{name}: its layers differ in width; layers: true works with vision transformers")
        self.backbone.to(memory_format=torch.channels_last)
        self.weights: Weights | None = None
        if pretrained:
            source = self.backbone.pretrained_cfg.get("hf_hub_id") or self.backbone.pretrained_cfg.get("url")
            self.weights = Weights(name=f"timm:{name}", source=str(source), sha256=hash_weights(self.backbone))

    @staticmethod
    def make_processor(
        name: str, size: int | None = None, fast: bool = False, resize: Resize = "crop", fill: int = 0
    ) -> ImageProcessor:
        """The preparation that timm's weights were trained with; `size` in pixels overrides theirs.

        `resize` keeps what a crop would cut off: drawings and products fill their images, photographs rarely do.
        """
        config = data_config(name)
        interpolation = "bicubic" if config["interpolation"] == "bicubic" else "bilinear"
        crop_share = config["crop_pct"] if size is None else 1.0
        return ImageProcessor(size or config["input_size"][-1], resize, crop_share, interpolation, fast, fill=fill)

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters by depth, shallow first."""
        from timm.models import group_parameters

        matcher = self.backbone.group_matcher(coarse=False)
        by_depth: dict[Any, list[str]] = group_parameters(self.backbone, matcher)
        named = dict(self.backbone.named_parameters())
        return [[named[name] for name in by_depth[depth]] for depth in sorted(by_depth)]

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """A box a patch or cell; nothing for the pooled vector."""
        if self.tokens == "pooled":
            return Layout()
        pixels = features["pixels"]
        return Layout(None, grid_boxes(*self._grid, len(pixels), pixels.device))

    @cached_property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of patches: timm's models name them in many ways, so one black image shows them."""
        training = self.backbone.training
        self.backbone.eval()
        size = self.processor.size
        with torch.inference_mode():
            x = self.backbone.forward_features(next(self.backbone.parameters()).new_zeros(1, 3, size, size))
        self.backbone.train(training)
        return self._cells(x)[1]

    def _cells(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """A feature map or patch tokens → `[U, T, D]` and how many rows and columns these are."""
        if x.ndim == 4:
            x = x if x.shape[1] == self.out_dim else x.permute(0, 3, 1, 2)  # some models keep channels last
            return x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])
        patches = x[:, getattr(self.backbone, "num_prefix_tokens", 0) :]
        return patches, _sides(patches)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        images = self.pixels(features["pixels"])
        if self.layers:
            return self._with_layers(images)
        if self.tokens == "pooled":
            return Tokens.single(self.backbone(images))
        x, sides = self._cells(self.backbone.forward_features(images))
        where = grid_boxes(*sides, len(x), x.device)
        return Tokens(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device), where)

    def _with_layers(self, images: Tensor) -> Tokens:
        x, found = self.backbone.forward_intermediates(images, output_fmt="NLC")
        patches = x[:, getattr(self.backbone, "num_prefix_tokens", 0) :]
        if self.tokens == "pooled":
            pooled = self.backbone.forward_head(x, pre_logits=True).unsqueeze(1)
            layers = (*(layer.mean(dim=1, keepdim=True) for layer in found[:-1]), pooled)
        else:
            layers = (*found[:-1], patches)
        where = None if self.tokens == "pooled" else grid_boxes(*_sides(patches), len(x), x.device)
        return Tokens(layers[-1], x.new_ones(layers[-1].shape[:2], dtype=torch.bool), where, layers)


def _sides(patches_UTD: Tensor) -> tuple[int, int]:
    """Height and width of a grid of patches."""
    height = int(patches_UTD.shape[1] ** 0.5)
    return height, patches_UTD.shape[1] // height


def data_config(name: str) -> dict[str, Any]:
    """How timm prepares images for a model: input_size, mean, std, interpolation, crop_pct.

    Raises:
        RecipeError: timm has no such model.
    """
    timm = import_extra("timm", "pretrained")
    if not timm.is_model(name):
        raise RecipeError(unknown("timm model", name, timm.list_models()))
    config = timm.get_pretrained_cfg(name)
    return timm.data.resolve_data_config(pretrained_cfg=config.to_dict() if config else {})


def require_weights(name: str) -> None:
    """Check that timm's weights are in the hub's cache or can be fetched.

    Raises:
        PlaitError: neither.
        RecipeError: timm has no weights for this model.
    """
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise RecipeError(f"timm has no pretrained weights for {name!r}; set pretrained: false to train from scratch")
    files = ("model.safetensors", "pytorch_model.bin")
    if config.hf_hub_id and any(isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in files):
        return
    require_hub(f"timm:{name}")


def _takes_img_size(timm: Any, name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return bool(config and config.fixed_input_size)
