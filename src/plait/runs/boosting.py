"""`fusion.method: boosted`: trees on the outputs of frozen encoders, and on numbers and categories as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from plait.build.model import BOOSTED
from plait.data.batches import Source
from plait.data.plan import BatchPlan
from plait.heads import TreeHead
from plait.model import MultimodalModel
from plait.runs.prepare import Prepared, metric_of, workers_of
from plait.tasks import Targets
from plait.training.checkpoint import Progress
from plait.training.evaluate import outputs_of
from plait.training.trees import default_booster, grow_trees
from plait.types import POOLED

BATCH = 256


def is_boosted(prepared: Prepared) -> bool:
    """Whether a run grows trees instead of training a network."""
    return prepared.recipe.fusion.method == BOOSTED


@dataclass
class TreeRows:
    """Rows to learn from or to validate on: where they are read, which they are, and their encoded targets in order."""

    source: Source
    rows: np.ndarray
    truth: Sequence[np.ndarray]


def fit_trees(
    model: MultimodalModel,
    train: TreeRows,
    val: TreeRows | None,
    targets: Targets,
    seed: int,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Grow the trees of a model's head on the outputs of its encoders; validation rows decide when to stop.

    Numeric targets are learned on the standard scale, the one that every head predicts on.
    """
    assert isinstance(model.head, TreeHead)

    def read(part: TreeRows) -> tuple[np.ndarray, Sequence[np.ndarray]]:
        plan = BatchPlan(part.rows, BATCH, shuffle=False)
        vectors = outputs_of(model, part.source, plan, "float32", device, workers)[POOLED]
        truth = dict(zip(targets.names, part.truth, strict=True))
        return vectors.numpy(), list(targets.in_spaces(truth).values())

    model.head.take(grow_trees(read(train), None if val is None else read(val), targets.spaces, seed))
    model.to(device)


def grown(prepared: Prepared, device: torch.device, seconds: float) -> Progress:
    """The record of a training by trees: a history of one entry, so that its report reads like any other."""
    model, targets = prepared.model, prepared.targets
    record: dict[str, Any] = {"epoch": 1, "learning_rate": 0.0, "train_seconds": seconds}
    progress = Progress(epoch=1, best_epoch=0, history=[record], seconds=seconds)
    for name in [name for name in prepared.parts if name in ("train", "val")]:
        scores = _scores(prepared, name, device)
        if name == "train":
            record["loss"] = scores["loss"]
        else:
            record["val"] = scores
            progress.best = scores.get(metric_of(prepared.recipe, targets).name)
    assert isinstance(model.head, TreeHead)
    prepared.notes.append(f"boosted: {len(model.head.roots):,} trees by {default_booster()}")
    return progress


def _scores(prepared: Prepared, name: str, device: torch.device) -> dict[str, float]:
    part, targets = prepared.parts[name], prepared.targets
    plan = BatchPlan(part.rows, BATCH, shuffle=False)
    outputs = outputs_of(prepared.model, part.source, plan, "float32", device, workers_of(prepared.recipe))
    truth = part.truth()
    loss = targets.loss(outputs, {key: torch.from_numpy(values) for key, values in truth.items()})
    return targets.metrics(targets.predictions(outputs), truth) | {"loss": float(loss)}
