"""One function that trains any model: at once, by the loop, or by the loop and a combiner of out-of-fold answers."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from plait.data.batches import Source
from plait.fusion import StackingFusion
from plait.model import MultimodalModel
from plait.runs.fitted import FittedRows, fit_head, is_fitted
from plait.runs.stacking import fit_stacking
from plait.tasks import Targets


@dataclass
class Lesson:
    """What a model is trained on.

    Args:
        source: where rows are read.
        train, val: row numbers; no validation where `val` is None or empty.
        truth: target → encoded targets of all rows of the source.
        targets: the tasks.
        device: where models run.
        groups: codes of the training rows that stay together; None for none.
        seed: of what is drawn.
        workers: decoding threads.
        weights: how much each row of the source counts; None for all alike.
        notes: what was chosen while fitting, for the user.
    """

    source: Source
    train: np.ndarray
    val: FittedRows | None
    truth: dict[str, np.ndarray]
    targets: Targets
    device: torch.device
    groups: np.ndarray | None = None
    seed: int = 0
    workers: int = 0
    weights: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def fit(
    model: MultimodalModel,
    lesson: Lesson,
    train_whole: Callable[[], Any],
    train_on: Callable[[MultimodalModel, np.ndarray, Any], Any],
) -> Any:
    """Train a model in place, in the way that its fusion and head need.

    Args:
        model: untrained.
        lesson: the rows.
        train_whole: trains the model on all of them by the loop; returns what the loop recorded.
        train_on: trains a copy of it on some of them, as the combiner of stacking needs; it is told what
            `train_whole` returned.

    Returns:
        What `train_whole` returned; None for what has no loop.
    """
    if is_fitted(model):
        truth = [values[lesson.train] for values in lesson.truth.values()]
        weights = None if lesson.weights is None else lesson.weights[lesson.train]
        rows = FittedRows(lesson.source, lesson.train, truth, lesson.groups, weights)
        lesson.notes += fit_head(model, rows, lesson.val, lesson.targets, lesson.seed, lesson.device, lesson.workers)
        return None
    # Copied before training: each fold of stacking begins with the same untrained weights.
    untrained = copy.deepcopy(model) if isinstance(model.fusion, StackingFusion) else None
    progress = train_whole()
    if untrained is not None:
        fit_stacking(
            model,
            partial(copy.deepcopy, untrained),
            lambda twin, rows: train_on(twin, rows, progress),
            lesson.source,
            lesson.train,
            {name: values[lesson.train] for name, values in lesson.truth.items()},
            lesson.targets,
            lesson.device,
            lesson.groups,
            lesson.seed,
            None if lesson.weights is None else lesson.weights[lesson.train],
        )
    return progress
