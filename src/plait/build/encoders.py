"""Names of encoders → processors and encoders of text and picture columns."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plait.build.pairs import sides_of
from plait.build.options import checked_options, construct
from plait.data.batches import InputSpec
from plait.data.paths import media_of
from plait.data.schema import split_cell
from plait.data.table import Table
from plait.decoders.language_weights import is_language_model, load_tokenizer
from plait.encoders import ENCODERS, HfText, TimmImage, packaged
from plait.encoders.dual_hf import HfDualImage, HfDualText, is_dual
from plait.encoders.dual_open_clip import OpenClipImage, OpenClipText
from plait.encoders.vlm_vision import VlmVision, is_vlm
from plait.encoders.text_pretrained import load_hf
from plait.encoders.weights import is_model_folder
from plait.encoders.words import Words
from plait.errors import DataError, RecipeError, unknown
from plait.processors import ImageProcessor, Processor, TabularProcessor, TextProcessor, WordsProcessor
from plait.processors.image import picture_size
from plait.recipe import InputRecipe, Recipe
from plait.values import as_text, is_missing

SCRATCH: dict[str, Callable[..., Any]] = {
    "text": TextProcessor.train,
    "image": ImageProcessor,
    "tabular": TabularProcessor.fit,
}
PRETRAINED: dict[tuple[str, str], type] = {
    ("hf", "text"): HfText,
    ("dual", "text"): HfDualText,
    ("dual", "image"): HfDualImage,
    ("seeing", "image"): VlmVision,
    ("timm", "image"): TimmImage,
    ("open_clip", "text"): OpenClipText,
    ("open_clip", "image"): OpenClipImage,
}
WORDS = "words"
DEFAULT_ENCODER = {"text": "scratch:transformer", "image": "scratch:cnn"}


def make_column_processor(recipe: Recipe, name: str, table: Table, rows: np.ndarray) -> Processor:
    """What prepares the values of a text or picture column: the pretrained encoder's own, else fitted on `rows`.

    Raises:
        RecipeError: the encoder or an option is unknown.
    """
    column = recipe.inputs[name]
    family, variant = encoder_name(column)
    if family == WORDS:
        return _words_processor(recipe, column)
    maker = _maker(family, str(column.modality), variant)
    options = chosen_options(f"inputs.{name}", maker, column.options)
    if family != "scratch":
        return maker(_local(family, variant), **options)
    if column.modality == "text":
        return maker((as_text(value) for value in table.iterate(name, rows) if not is_missing(value)), **options)
    size = options.pop("size", None) or _usual_size(recipe, name, table, rows)
    return maker(size, **options)


def _words_processor(recipe: Recipe, column: InputRecipe) -> WordsProcessor:
    """Of the language model that writes; other inputs of any kind may stand in its texts."""
    if recipe.text is None or not is_language_model(recipe.decoder.method):
        raise RecipeError(
            "encoder words: a language model reads them; set task.type=generation and decoder.method=packaged:smollm2, "
            "hf:NAME or a folder, or take another encoder"
        )
    tokenizer = load_tokenizer(recipe.decoder.method.removeprefix("hf:"))
    modalities = sides_of(recipe)[1]
    places = [name for name in modalities if not (name in recipe.inputs and recipe.inputs[name].encoder == WORDS)]
    images = [name for name in places if modalities[name] == "image"]
    options = chosen_options("inputs", WordsProcessor, column.options)
    image = images[0] if images else None
    return WordsProcessor(tokenizer.backend_tokenizer.to_str(), places, image, **options)


def _usual_size(recipe: Recipe, name: str, table: Table, rows: np.ndarray) -> int:
    """The median picture's shorter side, to a multiple of 8 between 32 and 128 pixels."""
    sides = []
    for value in table.cells(name, rows[:: max(1, len(rows) // 50)]):
        for item in split_cell(value):
            try:
                sides.append(min(picture_size(media_of(table.root, item, recipe.data.allow_outside))))
            except DataError:
                continue  # counted and named when the table is checked
    return int(np.clip(round(np.median(sides) / 8) * 8, 32, 128)) if sides else 64


def build_column_encoder(
    name: str, column: InputRecipe, spec: InputSpec, options: dict[str, Any], config: dict[str, Any] | None
) -> Any:
    """A text or picture encoder. `config` is not None where a saved run's weights follow.

    Raises:
        RecipeError: the encoder or an option is unknown.
        PlaitError: pretrained weights are out of reach.
    """
    family, variant = encoder_name(column)
    modality = str(column.modality)
    where, used = f"inputs.{name}", processor_options(family, modality, variant, config)
    if family == WORDS:
        return construct(where, WORDS, Words, options, used, spec.processor)
    if family in ("hf", "open_clip"):
        make = PRETRAINED[_kind(family, variant, config), modality]
        made = construct(where, variant, make, options, used, spec.processor, _local(family, variant), config=config)
        if variant == "packaged:minilm" and config is None:
            packaged.mark_minilm(made)
        return made
    if family == "timm":
        is_packaged = variant in packaged.EFFICIENTNETS
        if is_packaged:
            options |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        if is_packaged or config is not None:
            options["pretrained"] = False
        made = construct(where, variant, TimmImage, options, used, spec.processor, _local(family, variant))
        if is_packaged and config is None:
            packaged.load_efficientnet(made, variant)
        return made
    return construct(where, f"{family}:{variant}", ENCODERS[f"{family}:{variant}"], options, used, spec.processor)


def encoder_name(spec: InputRecipe) -> tuple[str, str]:
    """Family and variant of a column's encoder: `("timm", "resnet50")`; packaged ones keep their full name.

    Raises:
        RecipeError: there is no such encoder, or it reads another modality.
    """
    assert spec.modality is not None  # complete_inputs has seen to it
    name = spec.encoder or DEFAULT_ENCODER[spec.modality]
    modality = {"packaged:minilm": "text", **dict.fromkeys(packaged.EFFICIENTNETS, "image")}.get(name)
    family, _, variant = name.partition(":")
    if name == WORDS:
        modality = "text"
    elif modality is not None:
        family, variant = ("hf" if modality == "text" else "timm"), name
    elif is_model_folder(name):
        family, variant, modality = "hf", name, spec.modality
    elif family in ("timm", "hf", "open_clip") and variant:
        modality = "image" if family == "timm" else spec.modality  # some models read both: seen when it is loaded
    elif name in ENCODERS and ":" in name:
        made: Any = ENCODERS[name]
        modality = getattr(made, "func", made).modality  # some are partials of a class

    else:
        raise RecipeError(unknown("encoder", name, known_encoders()))
    if modality != spec.modality:
        fitting = known_encoders(spec.modality)
        raise RecipeError(f"encoder {name!r} reads {modality}, not {spec.modality}; known for it: {', '.join(fitting)}")
    return family, variant


def known_encoders(modality: str | None = None) -> list[str]:
    """Names that a recipe may use, as a person would look them up."""
    names = {
        "image": [
            "scratch:cnn",
            "timm:NAME",
            *packaged.EFFICIENTNETS,
            "hf:NAME (CLIP, SigLIP)",
            "open_clip:MODEL/WEIGHTS",
        ],
        "text": [n for n in ENCODERS if n.startswith("scratch:") and n not in ("scratch:cnn", "scratch:tabular")]
        + ["hf:NAME", "packaged:minilm", "FOLDER", "open_clip:MODEL/WEIGHTS", WORDS],
    }
    return names[modality] if modality else names["image"] + names["text"]


def _kind(family: str, variant: str, config: Mapping[str, Any] | None = None) -> str:
    """`hf`, `timm` or `open_clip`; of transformers' models of pictures and texts `dual`, or `seeing` if they write."""
    if family != "hf" or variant == "packaged:minilm":
        return family
    if is_vlm(load_hf("AutoConfig", _local(family, variant))) if config is None else "seeing" in config:
        return "seeing"
    dual = is_dual(_local(family, variant)) if config is None else "model" in config
    return "dual" if dual else family


def _local(family: str, variant: str) -> str:
    """The name that a library loads a model by."""
    if variant == "packaged:minilm":
        return str(packaged.minilm_folder())
    if variant in packaged.EFFICIENTNETS:
        return packaged.EFFICIENTNETS[variant]
    return str(Path(variant).expanduser()) if family == "hf" and is_model_folder(variant) else variant


def _maker(family: str, modality: str, variant: str, config: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """What makes a column's processor.

    Raises:
        RecipeError: the model reads another modality.
    """
    if family == "scratch":
        return SCRATCH[modality]
    if family == WORDS:
        return WordsProcessor
    kind = _kind(family, variant, config)
    if (kind, modality) not in PRETRAINED:
        raise RecipeError(
            f"{family}:{variant}: a model of {'texts' if modality == 'image' else 'pictures'} alone can't read "
            f"{modality}; known for it: {', '.join(known_encoders(modality))}"
        )
    maker: Callable[..., Any] = PRETRAINED[kind, modality].make_processor  # type: ignore[attr-defined]
    return maker


def processor_options(
    family: str, modality: str, variant: str = "", config: Mapping[str, Any] | None = None
) -> list[str]:
    """The options of a column that its processor takes."""
    given_by_us = {"texts", "name", "columns", "numbers", "dates", "categories", "tokenizer", "places", "image"}
    names = inspect.signature(_maker(family, modality, variant, config)).parameters
    return [name for name in names if name not in given_by_us]


def chosen_options(where: str, function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a processor takes; the others are the encoder's.

    Raises:
        RecipeError: one is of another type, or out of range.
    """
    takes = inspect.signature(function).parameters
    return checked_options(where, function, {key: value for key, value in options.items() if key in takes})
