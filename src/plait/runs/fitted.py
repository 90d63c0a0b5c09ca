"""Heads that are fitted at once to what frozen encoders say: boosted trees, linear models and kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from plait.data.batches import Source
from plait.data.plan import BatchPlan
from plait.heads import KernelHead, LinearHead, TreeHead
from plait.model import MultimodalModel
from plait.runs.prepare import Prepared, metric_of, workers_of
from plait.tasks import Targets
from plait.training.checkpoint import Progress
from plait.training.closed_form import fit_kernel, fit_linear
from plait.training.evaluate import outputs_of
from plait.training.trees import default_booster, fit_trees
from plait.types import POOLED

BATCH = 256


def is_fitted(model: MultimodalModel) -> bool:
    """Whether a model is fitted at once instead of trained by the loop."""
    return isinstance(model.head, TreeHead | LinearHead | KernelHead)


@dataclass
class FittedRows:
    """Rows to learn from or to validate on: where they are read, which they are, and their encoded targets in order.

    `groups` holds a code for each of them; rows with the same one are never on both sides of an inner fold. `weights`
    say how much each counts.
    """

    source: Source
    rows: np.ndarray
    truth: Sequence[np.ndarray]
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None


def fit_head(
    model: MultimodalModel,
    train: FittedRows,
    val: FittedRows | None,
    targets: Targets,
    seed: int,
    device: torch.device,
    workers: int = 0,
) -> list[str]:
    """Fit a model's head to the outputs of its encoders; says what was chosen.

    Validation rows decide when trees stop; the others choose what they need among the training rows. Numeric targets
    are learned on the standard scale, the one that every head predicts on.
    """

    def read(part: FittedRows) -> tuple[np.ndarray, Sequence[np.ndarray]]:
        plan = BatchPlan(part.rows, BATCH, shuffle=False)
        vectors = outputs_of(model, part.source, plan, "float32", device, workers)[POOLED]
        truth = dict(zip(targets.names, part.truth, strict=True))
        return vectors.numpy(), list(targets.in_spaces(truth).values())

    head: Any = model.head
    vectors, truth = read(train)
    if isinstance(head, TreeHead):
        pair = None if val is None else read(val)
        head.take(fit_trees((vectors, truth), pair, targets.spaces, seed, weights=train.weights))
        notes = [f"{len(head.roots):,} trees by {default_booster()}"]
    else:
        head.cpu()
        given = (vectors, truth, targets.spaces, train.groups, seed, train.weights)
        notes = fit_linear(head, *given) if isinstance(head, LinearHead) else fit_kernel(head, *given)
    model.to(device)
    return notes


def fitted_progress(prepared: Prepared, notes: Sequence[str], device: torch.device, seconds: float) -> Progress:
    """The record of a fit: a history of one entry, so that its report reads like any other."""
    targets = prepared.targets
    record: dict[str, Any] = {"epoch": 1, "learning_rate": 0.0, "train_seconds": seconds}
    progress = Progress(epoch=1, best_epoch=0, history=[record], seconds=seconds)
    for name in [name for name in prepared.parts if name in ("train", "val")]:
        scores = _scores(prepared, name, device)
        if name == "train":
            record["loss"] = scores["loss"]
        else:
            record["val"] = scores
            progress.best = scores.get(metric_of(prepared.recipe, targets).name)
    prepared.notes.append(f"{prepared.recipe.fusion.method}: {'; '.join(notes)}")
    return progress


def _scores(prepared: Prepared, name: str, device: torch.device) -> dict[str, float]:
    part, targets = prepared.parts[name], prepared.targets
    plan = BatchPlan(part.rows, BATCH, shuffle=False)
    outputs = outputs_of(prepared.model, part.source, plan, "float32", device, workers_of(prepared.recipe))
    truth = part.truth()
    loss = targets.loss(outputs, {key: torch.from_numpy(values) for key, values in truth.items()})
    return targets.metrics(targets.predictions(outputs), truth) | {"loss": float(loss)}
