"""The two sides of a model of open_clip."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any, NotRequired

from torch import Tensor, nn
from typing_extensions import TypedDict

from plait.encoders.dual import Similarity, as_tokens, keep_side
from plait.encoders.pixels import Pixels
from plait.encoders.weights import Weights, hash_weights, require_hub
from plait.errors import RecipeError, import_extra, unknown
from plait.files.reading import checked, read_json
from plait.processors import ImageProcessor
from plait.processors.open_clip_text import OpenClipTextProcessor
from plait.types import Tokens

CONFIG = "open_clip_config.json"  # of a folder that open_clip can load
TEXT_PARTS = ("text", "transformer", "token_embedding", "positional_embedding", "ln_final")


class OpenClipImage(nn.Module):
    """The image side of an open_clip model.

    Args:
        processor: prepares images as the model was trained; see `make_processor`.
        name: `ViT-B-32/laion2b_s34b_b79k`, or a folder with `open_clip_config.json` and weights.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"pixels": [U, 3, S, S] uint8}` → Tokens `[U, 1, D]`.

    Raises:
        RecipeError: open_clip has no such model or weights.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "image"

    def __init__(self, processor: ImageProcessor, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.processor = processor
        model, self.config = _model(name, config)
        self.similarity = Similarity.of(model)
        keep_side(model, TEXT_PARTS)
        self.backbone = model
        prepared = self.config["preprocess_cfg"]
        self.pixels = Pixels(prepared["mean"], prepared["std"])
        self.out_dim = int(self.config["model_cfg"]["embed_dim"])
        self.weights = None if config is not None else _weights(name, model)

    @staticmethod
    def make_processor(name: str, fast: bool = False) -> ImageProcessor:
        """The preparation that the model was trained with."""
        prepared = _config(name)["preprocess_cfg"]
        size = prepared["size"][0] if isinstance(prepared["size"], list | tuple) else prepared["size"]
        modes: dict[str, Any] = {"shortest": "crop", "squash": "squash", "longest": "pad"}
        return ImageProcessor(size, modes[prepared["resize_mode"]], 1.0, prepared["interpolation"], fast)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return as_tokens(self.backbone.encode_image(self.pixels(features["pixels"])))


class OpenClipText(nn.Module):
    """The text side of an open_clip model.

    Args:
        processor: open_clip's own tokenizer; see `make_processor`.
        name, config: as in `OpenClipImage`.

    Shapes: `{"ids": [U, T]}` → Tokens `[U, 1, D]`.
    """

    modality = "text"

    def __init__(self, processor: OpenClipTextProcessor, name: str, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.processor = processor
        model, self.config = _model(name, config)
        self.similarity = Similarity.of(model)
        keep_side(model, ("visual",))
        self.backbone = model
        self.out_dim = int(self.config["model_cfg"]["embed_dim"])
        self.weights = None if config is not None else _weights(name, model)

    @staticmethod
    def make_processor(name: str) -> OpenClipTextProcessor:
        """The model's tokenizer.

        Raises:
            RecipeError: it is not open_clip's own.
        """
        config = _config(name)
        _refuse_downloads(name, config)
        text = config["model_cfg"].get("text_cfg", {})
        return OpenClipTextProcessor(int(text.get("context_length", 77)))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return as_tokens(self.backbone.encode_text(features["ids"]))


class Held(TypedDict):
    """What a folder's configuration says."""

    model_cfg: dict[str, Any]
    preprocess_cfg: NotRequired[dict[str, Any]]


def _config(name: str) -> dict[str, Any]:
    """`model_cfg` and `preprocess_cfg` of a model."""
    open_clip = import_extra("open_clip", "open_clip")
    folder = Path(name).expanduser()
    if (folder / CONFIG).is_file():
        content: Held = read_json(folder / CONFIG, Held, RecipeError)
        model, prepared = content["model_cfg"], content.get("preprocess_cfg", {})
    else:
        architecture, _, pretrained = name.partition("/")
        model = open_clip.get_model_config(architecture)
        if model is None:
            raise RecipeError(unknown("open_clip model", architecture, open_clip.list_models()))
        known = open_clip.list_pretrained_tags_by_model(architecture)
        if pretrained not in known:
            raise RecipeError(f"open_clip:{name}: {unknown('weights', pretrained, known)}")
        prepared = open_clip.get_pretrained_cfg(architecture, pretrained)
    parts = checked(model, dict[str, Any], name, RecipeError)
    size = checked(parts.get("vision_cfg"), dict[str, Any], f"open_clip:{name}: vision_cfg", RecipeError).get(
        "image_size", 224
    )
    usual = {"size": size, "mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    usual |= {"interpolation": "bicubic", "resize_mode": "shortest"}
    kept = {key: prepared[key] for key in usual if prepared.get(key) is not None}
    return {"model_cfg": model, "preprocess_cfg": {**usual, **kept}}


def _model(name: str, config: dict[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    open_clip = import_extra("open_clip", "open_clip")
    if config is not None:
        _refuse_downloads(name, config)
        with tempfile.TemporaryDirectory() as folder:  # what open_clip builds an unknown model from
            (Path(folder) / CONFIG).write_text(json.dumps(config), encoding="utf-8")
            return open_clip.create_model(f"local-dir:{folder}", load_weights=False), config
    folder_of = Path(name).expanduser()
    config = copy.deepcopy(_config(name))
    _refuse_downloads(name, config)
    try:
        if (folder_of / CONFIG).is_file():
            if not any(folder_of.glob("*.safetensors")):  # pickled weights could run code
                raise RecipeError(f"open_clip:{name}: expected weights in safetensors, found none")
            return open_clip.create_model(f"local-dir:{folder_of}", precision="fp32").eval(), config
        architecture, _, pretrained = name.partition("/")
        if not _cached(open_clip, architecture, pretrained):
            require_hub(f"open_clip:{name}")
        return open_clip.create_model(architecture, pretrained, precision="fp32").eval(), config
    except (OSError, RuntimeError, FileNotFoundError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise RecipeError(f"open_clip:{name}: the model can't be loaded ({first})") from error


def _refuse_downloads(name: str, config: dict[str, Any]) -> None:
    """A configuration may name parts that open_clip would fetch from the hub; a stranger's must not."""
    model = config.get("model_cfg", {})
    text, image = model.get("text_cfg", {}), model.get("vision_cfg", {})
    if text.get("hf_tokenizer_name") or text.get("hf_model_name") or image.get("timm_model_pretrained"):
        raise RecipeError(
            f"open_clip:{name}: parts of it come from the model hub (a tokenizer, a text model or timm's weights); "
            "load it with hf:NAME instead"
        )


def _cached(open_clip: Any, architecture: str, pretrained: str) -> bool:
    """Whether the hub's cache holds the weights."""
    from huggingface_hub import try_to_load_from_cache

    where = open_clip.get_pretrained_cfg(architecture, pretrained).get("hf_hub", "").rstrip("/")
    names = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    return bool(where) and any(isinstance(try_to_load_from_cache(where, name), str) for name in names)


def _weights(name: str, model: nn.Module) -> Weights:
    is_folder = (Path(name).expanduser() / CONFIG).is_file()
    source = Path(name).name if is_folder else f"hub:{name}"
    return Weights(name=f"open_clip:{name}", source=source, sha256=hash_weights(model))
