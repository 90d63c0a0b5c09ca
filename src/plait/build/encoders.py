"""Names of encoders → processors and encoders of columns."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.build.options import checked_options, construct
from plait.build.pairs import sides_of
from plait.build.tasks import task_with
from plait.build.words import WORDS
from plait.data.batches import InputSpec
from plait.data.table import Table
from plait.decoders.language_weights import is_language_model, load_tokenizer
from plait.encoders import (
    ENCODERS,
    PRETRAINED,
    HfAudio,
    HfText,
    TimmImage,
    VideoEncoder,
    encoder_class,
    packaged,
    packaged_audio,
)
from plait.encoders.dual_hf import is_dual
from plait.encoders.text_pretrained import load_hf
from plait.encoders.vlm_vision import is_vlm
from plait.encoders.weights import is_model_folder
from plait.encoders.words import Words
from plait.errors import DataError, RecipeError, unknown
from plait.modalities import IMAGE, MODALITIES, Media, in_words
from plait.processors import Processor, VideoProcessor, WordsProcessor
from plait.processors.video import PICKS
from plait.recipe import InputRecipe, Recipe

PACKAGED: dict[str, type] = {
    "packaged:minilm": HfText,
    **dict.fromkeys(packaged.EFFICIENTNETS, TimmImage),
    packaged_audio.WHISPER: HfAudio,
}
FRAME_OPTIONS = {"scratch:cnn": {"tokens": "flat"}}  # a frame is one vector, which says where in it things are
GIVEN = {  # what plait itself gives to a processor's maker
    *("texts", "images", "values", "name", "columns", "numbers", "dates", "categories", "forms", "untyped", "lenient"),
    *("tokenizer", "places", "image", "sounds", "series", "videos", "exact"),
}


def make_column_processor(recipe: Recipe, name: str, table: Table, rows: np.ndarray) -> Processor:
    """What prepares the values of a column: the pretrained encoder's own, else fitted on `rows`.

    Raises:
        RecipeError: the encoder or an option is unknown.
    """
    column = recipe.inputs[name]
    family, variant = encoder_name(column)
    if family == WORDS:
        return _words_processor(recipe, column)
    if is_framed(column):
        return _framed_processor(recipe, name, table, rows)
    maker = _maker(family, str(column.modality), variant)
    options = chosen_options(f"inputs.{name}", maker, column.options)
    if next(iter(inspect.signature(maker).parameters)) == "name":  # a pretrained model's own, fitted to no rows
        return maker(_local(family, variant), **options)
    made: Processor = maker(_contents(recipe, name, table, rows), **options)
    return made


def is_framed(column: InputRecipe, config: Mapping[str, Any] | None = None) -> bool:
    """Whether a column's values are sequences of those that its encoder reads: videos, and an encoder of images."""
    inner = MODALITIES[str(column.modality)].made_of
    if inner is None:
        return False
    family, variant = encoder_name(column)
    listed = f"{family}:{variant}"
    if listed in ENCODERS:
        return bool(encoder_class(listed).modality == inner)
    return column.modality not in PRETRAINED[_kind(family, variant, config)]


def _framed_processor(recipe: Recipe, name: str, table: Table, rows: np.ndarray) -> Processor:
    """What picks a video's frames, and prepares each as the encoder's own processor would an image."""
    column = recipe.inputs[name]
    family, variant = encoder_name(column)
    maker = _maker(family, str(MODALITIES[str(column.modality)].made_of), variant)
    of_image = chosen_options(f"inputs.{name}", maker, column.options)
    of_video = chosen_options(f"inputs.{name}", VideoProcessor.fit, column.options)
    if next(iter(inspect.signature(maker).parameters)) == "name":
        picks = {key: value for key, value in of_video.items() if key in PICKS}
        made: Processor = VideoProcessor(maker(_local(family, variant), **of_image).to_json(), **picks)
        return made
    return VideoProcessor.fit(_contents(recipe, name, table, rows), **of_video)


def _build_framed(
    name: str, column: InputRecipe, spec: InputSpec, options: dict[str, Any], config: dict[str, Any] | None
) -> VideoEncoder:
    """An encoder of images for each frame, and what reads the frames in order."""
    of_video = PICKS
    temporal = [key for key in inspect.signature(VideoEncoder).parameters if key.startswith("temporal")]
    inner = {key: value for key, value in options.items() if key not in (*of_video, *temporal)}
    image_column = column.model_copy(update={"modality": MODALITIES[str(column.modality)].made_of})
    inner = FRAME_OPTIONS.get(":".join(encoder_name(image_column)), {}) | inner
    processor: Any = spec.processor
    image_spec = InputSpec(spec.columns, processor.of_frames, str(image_column.modality))
    image = build_column_encoder(name, image_column, image_spec, inner, config, (*of_video, *temporal))
    own = {key: value for key, value in options.items() if key in temporal}
    made: VideoEncoder = construct(f"inputs.{name}", "video", VideoEncoder, own, (), processor, image)
    return made


def _contents(recipe: Recipe, name: str, table: Table, rows: np.ndarray) -> Iterator[Any]:
    """The opened values of a column in training rows, as many as its modality needs."""
    modality = MODALITIES[str(recipe.inputs[name].modality)]
    media = Media(table.root, recipe.data.allow_outside)
    step = 1 if modality.fitting is None else max(1, len(rows) // modality.fitting)
    for cell in table.iterate(recipe.inputs[name].reads(name), rows[::step]):
        for piece in modality.pieces(cell):
            try:
                yield modality.open(piece, media).content
            except DataError:  # counted and named when the table is checked
                continue


def _words_processor(recipe: Recipe, column: InputRecipe) -> WordsProcessor:
    """Of the language model that writes; other inputs of any kind may stand in its texts."""
    if task_with(recipe, "writes") is None or not is_language_model(recipe.decoder.method):
        raise RecipeError(
            "encoder words: a language model reads them; set task.type=generation and decoder.method=packaged:smollm2, "
            "hf:NAME or a folder, or take another encoder"
        )
    tokenizer = load_tokenizer(recipe.decoder.method.removeprefix("hf:"))
    modalities = sides_of(recipe)[1]
    places = [name for name in modalities if not (name in recipe.inputs and recipe.inputs[name].encoder == WORDS)]
    images = [name for name in places if modalities[name] == IMAGE.name]
    options = chosen_options("inputs", WordsProcessor, column.options)
    image = images[0] if images else None
    return WordsProcessor(tokenizer.backend_tokenizer.to_str(), places, image, **options)


def build_column_encoder(
    name: str,
    column: InputRecipe,
    spec: InputSpec,
    options: dict[str, Any],
    config: dict[str, Any] | None,
    beside: Sequence[str] = (),
) -> Any:
    """A column's encoder. `config` is not None where a saved run's weights follow; `beside` are options that others
    read.

    Raises:
        RecipeError: the encoder or an option is unknown.
        PlaitError: pretrained weights are out of reach.
    """
    if is_framed(column, config):
        return _build_framed(name, column, spec, options, config)
    family, variant = encoder_name(column)
    modality = str(column.modality)
    where, used = f"inputs.{name}", [*processor_options(_maker(family, modality, variant, config)), *beside]
    if family == WORDS:
        return construct(where, WORDS, Words, options, used, spec.processor)
    if family in ("hf", "open_clip"):
        make = PRETRAINED[_kind(family, variant, config)][modality]
        if variant == packaged_audio.WHISPER:
            shape = packaged_audio.whisper_config() if config is None else config
            made = construct(where, variant, HfAudio, options, used, spec.processor, variant, config=shape)
            if config is None:
                packaged_audio.load_whisper(made)
            return made
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
    listed = f"{family}:{variant}"
    made = construct(where, listed, ENCODERS[listed], options, used, spec.processor)
    if listed == packaged_audio.SPEECH and config is None:
        packaged_audio.load_speech_embedding(made)
    return made


def encoder_name(spec: InputRecipe) -> tuple[str, str]:
    """Family and variant of a column's encoder: `("timm", "resnet50")`; packaged ones keep their full name.

    Raises:
        RecipeError: there is no such encoder, or it reads another modality.
    """
    assert spec.modality is not None  # complete_inputs has seen to it
    name = spec.encoder or MODALITIES[spec.modality].default
    family, _, variant = name.partition(":")
    modality = spec.modality
    if name == WORDS:
        modality = Words.modality
    elif name in PACKAGED:
        family, variant, modality = _family_of(PACKAGED[name]), name, PACKAGED[name].modality  # type: ignore[attr-defined]
    elif name in ENCODERS and ":" in name:
        modality = encoder_class(name).modality
    elif is_model_folder(name):
        family, variant = "hf", name
    elif family in PRETRAINED and variant:
        only = list(PRETRAINED[family])
        modality = only[0] if len(only) == 1 and family != "hf" else modality  # of others it is seen when one is loaded
    else:
        raise RecipeError(unknown("encoder", name, known_encoders()))
    if modality not in (spec.modality, MODALITIES[spec.modality].made_of):
        fitting = known_encoders(spec.modality)
        raise RecipeError(f"encoder {name!r} reads {modality}, not {spec.modality}; known for it: {', '.join(fitting)}")
    return family, variant


def _family_of(encoder: type) -> str:
    return next(family for family, sides in PRETRAINED.items() if encoder in sides.values())


def known_encoders(modality: str | None = None) -> list[str]:
    """Names that a recipe may use, as a person would look them up."""
    if modality is None:
        every = [known_encoders(name) for name, kind in MODALITIES.items() if kind.group is None]
        return [name for names in every for name in names]
    listed = [name for name in ENCODERS if ":" in name and encoder_class(name).modality == modality]
    return [*listed, *MODALITIES[modality].encoders]


def _kind(family: str, variant: str, config: Mapping[str, Any] | None = None) -> str:
    """`hf`, `timm` or `open_clip`; of transformers' models of images and texts `dual`, or `seeing` if they write."""
    if family != "hf" or variant in PACKAGED:
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
    if f"{family}:{variant}" in ENCODERS:
        usual = encoder_class(MODALITIES[modality].default)
        fit: Callable[..., Any] = getattr(encoder_class(f"{family}:{variant}"), "fit_processor", usual.fit_processor)
        return fit
    if family == WORDS:
        return WordsProcessor
    kind = _kind(family, variant, config)
    if modality not in PRETRAINED[kind]:
        others = " and ".join(in_words(name) for name in PRETRAINED[kind])
        raise RecipeError(
            f"{family}:{variant}: a model of {others} alone can't read {modality}; known for it: "
            f"{', '.join(known_encoders(modality))}"
        )
    made: Any = PRETRAINED[kind][modality]
    maker: Callable[..., Any] = made.fit_processor if hasattr(made, "fit_processor") else made.make_processor
    return maker


def processor_options(maker: Callable[..., Any]) -> list[str]:
    """The options of a recipe that what makes a processor takes."""
    return [name for name in inspect.signature(maker).parameters if name not in GIVEN]


def chosen_options(where: str, function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a processor takes; the others are the encoder's.

    Raises:
        RecipeError: one is of another type, or out of range.
    """
    takes = processor_options(function)
    return checked_options(where, function, {key: value for key, value in options.items() if key in takes})
