"""Recipe → a task that writes texts, and the decoder that does."""

from typing import Any

import numpy as np

from plait.build_pairs import sides_of
from plait.constructing import construct
from plait.data.table import Table
from plait.decoders import DECODERS
from plait.decoders.language_model import LanguageModel
from plait.decoders.language_weights import PACKAGED, load_model, load_words
from plait.encoders.weights import is_model_folder
from plait.errors import DataError, RecipeError, nearest, unknown
from plait.fusion import FUSIONS
from plait.heads import WriteHead
from plait.recipe import Recipe, TaskRecipe
from plait.tasks import Generation, Targets
from plait.tasks.generation import fit_texts


def check_text(recipe: Recipe) -> None:
    """Refuse options that do nothing where texts are written.

    The sections `decoder` and `generation` may stand in a recipe of another task, which does not read them: so one
    line of a recipe turns answers that are written into answers that are chosen.

    Raises:
        RecipeError: one is set.
    """
    if recipe.text is None:
        for name in ("scheduled_sampling", "self_critical"):
            if getattr(recipe.train, name):
                raise RecipeError(f"train.{name} belongs to task.type=generation")
        return
    if len(recipe.task) > 1:
        raise RecipeError("generation is a run's only task; train the others in a run of their own")
    if recipe.head.model_fields_set:
        raise RecipeError("head: a run that writes texts has a decoder in its place; set decoder.dropout and its like")
    for name in ("auxiliary", "gradient_modulation", "gradient_blending"):
        if getattr(recipe.train, name):
            raise RecipeError(
                f"train.{name} asks each modality for its own answer; of texts there is only the whole one"
            )
    method = recipe.fusion.method
    if method == "boosted" or (method in FUSIONS and getattr(FUSIONS[method], "stage", "") == "late"):
        raise RecipeError(f"fusion.method={method}: it predicts by itself; a decoder needs fused tokens, as concat's")
    if recipe.generation.max_length > recipe.text.max_length:
        raise RecipeError(
            f"generation.max_length={recipe.generation.max_length}: texts of up to task.max_length="
            f"{recipe.text.max_length} tokens are learned; raise that, or lower this"
        )


def build_generation(recipe: Recipe, spec: TaskRecipe, table: Table, rows: np.ndarray) -> Generation:
    """The task of a recipe that writes texts, its vocabulary learned from training rows.

    Raises:
        DataError: a column is absent, or holds no text.
        RecipeError: the vocabulary is too small.
    """
    for name in (spec.target, spec.references, spec.answer_types):
        if name is not None and name not in table:
            raise DataError(f"{table.source}: there is no column {name!r}{nearest(name, table.columns)}")
    target = str(spec.target)
    cells = table.cells(target, rows)
    learned = fit_texts(cells, target, recipe.decoder.vocab_size, spec.max_length, recipe.decoder.lowercase)
    texts, model = learned, None
    short = Generation.are_short(cells) if spec.texts == "auto" else spec.texts == "answers"
    if is_language_model(recipe):
        prompt = recipe.decoder.prompt or ("Answer with a word or two." if short else "Describe this.")
        texts, before, after = load_words(_model_name(recipe), spec.max_length, prompt)
        model = {"before": before, "after": after}
    options = (spec.references, spec.answer_types, spec.label_smoothing, model)
    return Generation(target, sides_of(recipe)[0], texts, short, *options)


def is_language_model(recipe: Recipe) -> bool:
    """Whether a pretrained language model writes: `hf:NAME`, a folder, or a packaged one."""
    method = recipe.decoder.method
    return method == PACKAGED or method.startswith("hf:") or is_model_folder(method)


def _model_name(recipe: Recipe) -> str:
    return recipe.decoder.method.removeprefix("hf:")


def build_writer(recipe: Recipe, targets: Targets, saved: bool = False) -> WriteHead:
    """The decoder that reads the fused tokens; `saved` where a run's own weights follow.

    Raises:
        RecipeError: a name or option is unknown.
    """
    task, spec = targets.text, recipe.decoder
    assert task is not None
    if task.language_model is not None:
        held = task.language_model
        model = load_model(_model_name(recipe), held["config"] if saved else None)
        held["config"] = model.config.to_dict()
        given = (model, recipe.fusion.dim, held["before"], held["after"], task.texts.end)
        decoder = construct("decoder", spec.method, LanguageModel, spec.options, (), *given)
        return WriteHead(task.target, decoder, recipe.generation, recipe.train.scheduled_sampling)
    if spec.method not in DECODERS:
        known = [*DECODERS, PACKAGED, "hf:NAME"]
        raise RecipeError(f"decoder.method: {unknown('decoder', spec.method, known)}")
    if spec.prompt:
        raise RecipeError(
            f"decoder.prompt: belongs to language models; {spec.method} has learned no words to ask it in"
        )
    texts = task.texts
    shape: tuple[Any, ...] = (texts.vocab_size, texts.begin, texts.end, recipe.fusion.dim)
    options = {"max_length": texts.max_length, **spec.options}
    decoder = construct("decoder", spec.method, DECODERS[spec.method], options, (), *shape)
    return WriteHead(task.target, decoder, recipe.generation, recipe.train.scheduled_sampling)
