"""Images sorted into classes that a model was never trained on: by names and templates alone, or by some examples."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.build.model import build_inputs, build_model
from plait.build.tasks import build_targets
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.encoders.weights import is_model_folder
from plait.errors import DataError, RecipeError, RunError
from plait.modalities import IMAGE, TEXT, Modality, in_words
from plait.predictor import Predictor, TableLike
from plait.recipe import Recipe
from plait.training.randomness import own_randomness

TEMPLATE = "{}"


def load_aligned(run: str | Path, verbose: bool = False, allow_outside: bool = False) -> Predictor:
    """A retrieval run, or a pretrained model of images and texts: `hf:NAME`, `open_clip:MODEL/WEIGHTS`, a folder.

    Args:
        run: the run's folder, or the model's name or folder.
        verbose: show progress.
        allow_outside: media paths may leave the folder of a table that it reads.

    Raises:
        RunError: it is not a run of retrieval.
        RecipeError: there is no such model.
        PlaitError: its weights are out of reach.
    """
    name = str(run)
    if name.startswith(("hf:", "open_clip:")) or is_model_folder(name):
        return pretrained(name, verbose, allow_outside)
    predictor = Predictor.load(run, verbose=verbose, allow_outside=allow_outside)
    if not predictor.is_retrieval:
        kinds = ", ".join(task.kind for task in predictor.targets_.tasks.values())
        raise RunError(f"{run}: expected a run of retrieval (train with --task retrieval), this one does {kinds}")
    return predictor


@own_randomness()
def pretrained(name: str, verbose: bool = False, allow_outside: bool = False) -> Predictor:
    """A model of images and texts as a retrieval run, as it is: inputs `image` and `text`, no projections.

    Args:
        name: `hf:openai/clip-vit-base-patch32`, `open_clip:ViT-B-32/laion2b_s34b_b79k`, or a folder.
        verbose: show progress.
        allow_outside: media paths may leave the folder of a table that it reads.
    """
    image, text = IMAGE.name, TEXT.name  # the two that such models read
    sides = {side: {"modality": side, "encoder": name, "frozen": True} for side in (image, text)}
    values = {"inputs": sides, "task": [{"type": "retrieval"}], "train": {"precision": "float32"}}
    recipe = Recipe.parse(values | {"data": {"allow_outside": allow_outside}})
    nothing = Table(pa.table({side: pa.array([None], pa.string()) for side in sides}), None, "")
    inputs = build_inputs(recipe, nothing, np.array([0]), {})
    targets, _ = build_targets(recipe, nothing, np.array([0]))
    from plait.build.encoders import build_column_encoder

    ready = {n: build_column_encoder(n, recipe.inputs[n], inputs[n], {}, None) for n in inputs}
    for encoder in ready.values():
        encoder.requires_grad_(False)
    recipe = recipe.updated({"fusion": {"dim": ready[image].out_dim, "hidden": None}})
    model = build_model(recipe, inputs, targets, ready=ready)
    weights = {side: encoder.weights for side, encoder in ready.items()}
    recipe = recipe.model_copy(update={"resolved": {"weights": weights}})
    return Predictor.assembled(recipe, infer_schema(nothing), inputs, targets, model, verbose=verbose)


def embed_side(predictor: Predictor, side: str, table: TableLike, column: str | None = None) -> np.ndarray:
    """`[N, D]` float32 vectors of one input, under whatever name the table has it; NaN where a row lacks it.

    Args:
        predictor: of a retrieval run.
        side: the run's input.
        table: the rows.
        column: what the table calls it; None for the run's name, else the only column of its modality.
    """
    opened = open_table(table)
    renamed = as_side(predictor, side, opened, column)
    vectors = predictor.embed(renamed)
    assert isinstance(vectors, dict)
    return vectors[side]


def as_side(predictor: Predictor, side: str, table: Table, column: str | None = None) -> Table:
    """A table of one input's columns, renamed as in the run.

    Raises:
        DataError: the table has no such column, or several.
    """
    spec = predictor.inputs_[side]
    wanted = [name for name in spec.columns if name in table]
    if column is not None or not wanted:
        wanted = [column or only_column(table, spec.modality)]
        names = [spec.columns[0]]
    else:
        names = wanted
    columns = {name: table.column(original) for name, original in zip(names, wanted, strict=True)}
    return table.with_data(pa.table(columns))


def only_column(table: Table, modality: str) -> str:
    """The one column of a modality.

    Raises:
        DataError: there is none, or several.
    """
    columns = [name for name, column in infer_schema(table).items() if column.modality == modality]
    if len(columns) != 1:
        holds = f"has {', '.join(columns)}" if columns else "has none"
        raise DataError(
            f"{table.source}: expected one column of {in_words(modality)}, the table {holds}; rename the one to use"
        )
    return columns[0]


def side_with_words(predictor: Predictor) -> str:
    """The run's input that reads words.

    Raises:
        RunError: it has none.
    """
    return _first_side(predictor, "words", lambda kind: kind.words)


def side_with_media(predictor: Predictor) -> str:
    """The run's input that reads files, such as images.

    Raises:
        RunError: it has none.
    """
    return _first_side(predictor, "files", lambda kind: kind.media)


def side_of_kind(predictor: Predictor, modality: str) -> str:
    """The run's input that reads a modality.

    Raises:
        RunError: it has none.
    """
    return _first_side(predictor, in_words(modality), lambda kind: kind.name == modality)


def _first_side(predictor: Predictor, what: str, fits: Callable[[Modality], bool]) -> str:
    for name, spec in predictor.inputs_.items():
        if spec.kind is not None and fits(spec.kind):
            return name
    inputs = ", ".join(f"{name} ({spec.modality})" for name, spec in predictor.inputs_.items())
    raise RunError(f"the run has no input of {what}; it has {inputs}")


def embed_texts(predictor: Predictor, texts: Sequence[str]) -> np.ndarray:
    """`[N, D]` vectors of some texts."""
    side = side_with_words(predictor)
    return embed_side(predictor, side, pd.DataFrame({predictor.inputs_[side].columns[0]: list(texts)}))


def class_vectors(predictor: Predictor, labels: Sequence[str], templates: Sequence[str] = (TEMPLATE,)) -> np.ndarray:
    """`[C, D]` a vector for each class: of its name in each template, averaged and normalised (2103.00020).

    Raises:
        RecipeError: a template has no `{}`, or there are fewer than two labels, or one twice.
    """
    for template in templates:
        if template.count("{}") != 1:
            raise RecipeError(f"--template {template!r}: expected one {{}} where the label goes")
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise RecipeError(f"--labels: expected two or more that differ, got {', '.join(labels) or 'none'}")
    texts = [template.replace("{}", label) for label in labels for template in templates]
    vectors = embed_texts(predictor, texts).reshape(len(labels), len(templates), -1).mean(axis=1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def scale_of(predictor: Predictor) -> float:
    """The factor by which the run multiplies cosines to get logits."""
    head: Any = predictor.model_.head
    return float(head.log_scale.detach().clamp(max=np.log(head.LARGEST)).exp())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def classify(
    predictor: Predictor, table: TableLike, labels: Sequence[str], templates: Sequence[str] = (TEMPLATE,)
) -> pd.DataFrame:
    """Sort images into classes, given the names of the classes.

    Returns:
        A row for each image: `row` (from 1), `label`, `label_probability` and the probability of every label; they
        are empty where there is no image.
    """
    opened = open_table(table)
    classes = class_vectors(predictor, labels, templates)
    images = embed_side(predictor, side_with_media(predictor), opened)
    return as_frame(images @ classes.T * scale_of(predictor), labels)


def as_frame(logits: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Answers and probabilities of `[N, C]` logits; rows of NaN have none."""
    lacking = np.isnan(logits).any(axis=1)
    chances = np.where(lacking[:, None], np.nan, softmax(np.where(lacking[:, None], 0.0, logits)))
    best = np.where(lacking, 0, np.nan_to_num(chances).argmax(axis=1))
    frame = pd.DataFrame({"row": np.arange(1, len(logits) + 1)})
    frame["label"] = [None if gone else labels[i] for gone, i in zip(lacking, best, strict=True)]
    frame["label_probability"] = chances[np.arange(len(chances)), best]
    return frame.assign(**{f"label_p_{label}": chances[:, i] for i, label in enumerate(labels)})
