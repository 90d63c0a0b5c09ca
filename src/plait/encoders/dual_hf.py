"""The two sides of a dual encoder of transformers: CLIP, SigLIP and their like."""

from typing import Any

from torch import Tensor, nn

from plait.encoders.dual import Similarity, as_tokens, keep_side
from plait.encoders.pixels import Pixels
from plait.encoders.text_pretrained import HfText, load_hf, model_of, source_of
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError
from plait.processors import ImageProcessor, TextProcessor
from plait.types import Tokens


def is_dual(name: str) -> bool:
    """Whether a hub name or folder holds a model of images and texts.

    Raises:
        RecipeError, PlaitError: as when it is loaded.
    """
    config = load_hf("AutoConfig", name)
    return hasattr(config, "vision_config") and hasattr(config, "text_config")


class HfDualImage(nn.Module):
    """The image side: its pooled vector after its projection, in the space that it shares with the texts.

    Args:
        processor: prepares images as the model was trained; see `make_processor`.
        name: a hub name or a folder that `save_pretrained` wrote.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"pixels": [U, 3, S, S] uint8}` → Tokens `[U, 1, D]`.

    Raises:
        RecipeError: the folder holds no model, or none of images and texts.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "image"

    def __init__(self, processor: ImageProcessor, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.processor = processor
        model = _model(name, config)
        channels = channels_of(name) if config is None else config["channels"]
        self.config: dict[str, Any] = {"model": model.config.to_dict(), "channels": channels}
        self.similarity = Similarity.of(model)
        keep_side(model, ("text",))
        self.backbone = model
        self.pixels = Pixels(channels["mean"], channels["std"])
        self.out_dim = _width(model)
        self.weights: Weights | None = None
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(model))

    @staticmethod
    def make_processor(name: str, fast: bool = False) -> ImageProcessor:
        """The preparation that the model was trained with."""
        theirs = load_hf("AutoImageProcessor", name)
        size, crop = dict(theirs.size), dict(getattr(theirs, "crop_size", None) or {})
        interpolation = "bicubic" if int(theirs.resample) == 3 else "bilinear"
        if "shortest_edge" in size:
            final = int(crop["height"] if theirs.do_center_crop and crop else size["shortest_edge"])
            return ImageProcessor(final, "crop", final / size["shortest_edge"], interpolation, fast)
        if size.get("height") != size.get("width"):
            raise RecipeError(f"hf:{name}: expected square images, the model takes {size}")
        return ImageProcessor(int(size["height"]), "squash", 1.0, interpolation, fast)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return as_tokens(self.backbone.get_image_features(pixel_values=self.pixels(features["pixels"])))


class HfDualText(nn.Module):
    """The text side: its pooled vector after its projection, in the space that it shares with the images.

    Args:
        processor: the model's own tokenizer; see `make_processor`.
        name, config: as in `HfDualImage`.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, 1, D]`.
    """

    modality = "text"

    def __init__(self, processor: TextProcessor, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.processor = processor
        model = _model(name, config)
        self.config: dict[str, Any] = {"model": model.config.to_dict()}
        self.similarity = Similarity.of(model)
        keep_side(model, ("vision", "visual"))
        self.backbone = model
        self.out_dim = _width(model)
        self.weights: Weights | None = None
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(model))

    @staticmethod
    def make_processor(name: str, max_length: int = 128) -> TextProcessor:
        """The model's tokenizer; models that were trained on texts padded to one length get such texts."""
        made = HfText.make_processor(name, max_length)
        config = load_hf("AutoConfig", name)
        positions = config.text_config.max_position_embeddings
        return TextProcessor(
            made.tokenizer, min(made.max_length, positions), made.pad_id, fixed=config.model_type.startswith("siglip")
        )

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        mask = None if self.processor.fixed else features["mask"].long()  # the paddings of SigLIP count as words
        return as_tokens(self.backbone.get_text_features(input_ids=features["ids"], attention_mask=mask))


def _model(name: str, config: dict[str, Any] | None) -> Any:
    if config is None:
        model = load_hf("AutoModel", name)
    else:
        model = model_of("AutoModel", config["model"])
    if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
        raise RecipeError(f"hf:{name}: expected a model of images and texts such as CLIP, got {type(model).__name__}")
    return model.float().eval()


def channels_of(name: str) -> dict[str, Any]:
    """Mean and deviation of each channel that a model was trained with."""
    theirs = load_hf("AutoImageProcessor", name)
    if not theirs.do_normalize:
        return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"mean": list(theirs.image_mean), "std": list(theirs.image_std)}


def _width(model: Any) -> int:
    """Of the space; SigLIP's is its text side's width."""
    width = getattr(model.config, "projection_dim", None)
    return int(width or getattr(model.config.text_config, "projection_size", 0) or model.config.text_config.hidden_size)
