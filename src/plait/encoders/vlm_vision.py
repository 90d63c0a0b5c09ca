"""The image side of a transformers model that writes about images: LLaVA and its like."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from plait.encoders.dual_hf import HfDualImage, channels_of
from plait.encoders.layout import Layout
from plait.encoders.pixels import Pixels
from plait.encoders.text_pretrained import load_hf, model_of, source_of
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError, import_extra
from plait.processors import ImageProcessor
from plait.types import Tokens

SEEING = "AutoModelForImageTextToText"


class VlmVision(nn.Module):
    """An image as tokens in the word space of the language model that it belongs to.

    Models that cut an image into tiles of their own number, or need more than its pixels, are refused.

    Args:
        processor: prepares images as the model was trained; see `make_processor`.
        name: a hub name or a folder that `save_pretrained` wrote.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"pixels": [U, 3, S, S] uint8}` → Tokens `[U, T, D]`, D that of the model's words.

    Raises:
        RecipeError: the model takes more than pixels.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "image"
    in_word_space = True

    def __init__(self, processor: ImageProcessor, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.processor, self.name = processor, name
        if config is None:
            model, channels = load_hf(SEEING, name), channels_of(name)
        else:
            model, channels = model_of(SEEING, config["model"]), config["channels"]
        self.config: dict[str, Any] = {"model": model.config.to_dict(), "channels": channels, "seeing": True}
        self.out_dim = int(model.get_input_embeddings().weight.shape[1])
        self.backbone = without_words(model).float()
        needs = inspect.signature(self.backbone.get_image_features).parameters
        required = [name for name, one in needs.items() if one.default is one.empty and one.kind != one.VAR_KEYWORD]
        if required != ["pixel_values"] or "image_grid_thw" in needs:
            raise RecipeError(
                f"hf:{name}: it cuts images into pieces of its own number, which is not supported; take another "
                "encoder for the images, whose tokens a projector brings to the model"
            )
        self._tiles = "pixel_attention_mask" in needs  # a dimension of tiles, of which there is one
        self.pixels = Pixels(channels["mean"], channels["std"])
        self.weights: Weights | None = None
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(self.backbone))

    @staticmethod
    def make_processor(name: str, fast: bool = False) -> ImageProcessor:
        """The preparation that the model was trained with."""
        return HfDualImage.make_processor(name, fast)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Every token is real; where it lies the projectors of these models do not tell."""
        return Layout()

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        pixels = self.pixels(features["pixels"])
        output = self.backbone.get_image_features(pixel_values=pixels.unsqueeze(1) if self._tiles else pixels)
        x = getattr(output, "pooler_output", output)
        x = x if isinstance(x, Tensor) else torch.stack(list(x))
        x = x.reshape(len(pixels), -1, x.shape[-1])
        return Tokens(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device))


def is_vlm(config: Any) -> bool:
    """Whether a transformers configuration, or its values, is of a model that writes about images."""
    transformers = import_extra("transformers", "pretrained")
    vision_models = transformers.models.auto.modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if isinstance(config, dict):
        return config.get("model_type") in vision_models and "vision_config" in config and "text_config" in config
    return config.model_type in vision_models and hasattr(config, "vision_config") and hasattr(config, "text_config")


def without_sight(model: Any) -> Any:
    """A model without its image side, where it has one: what is left writes."""
    return _only(model, writes=True)


def without_words(model: Any) -> Any:
    """The image side of a model that writes about images."""
    return _only(model, writes=False).model


def _only(model: Any, writes: bool) -> Any:
    if not is_vlm(model.config):
        return model
    decoder = model.get_decoder()
    for name, part in model.model.named_children():
        if (part is decoder) != writes:
            setattr(model.model, name, None)
    return model
