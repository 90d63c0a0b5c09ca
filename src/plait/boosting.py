"""`fusion.method: boosted`: trees on what frozen encoders say, and on numbers and categories as they are."""

import time
from typing import Any

import numpy as np
import torch

from plait.build import BOOSTED
from plait.data.plan import BatchPlan
from plait.fitting import Prepared, metric_of, workers_of
from plait.heads import TreeHead
from plait.training.checkpoint import Progress
from plait.training.evaluate import outputs_of
from plait.training.trees import default_booster, grow_trees

BATCH = 256


def is_boosted(prepared: Prepared) -> bool:
    """Whether a run grows trees instead of training a network."""
    return prepared.recipe.fusion.method == BOOSTED


def boost(prepared: Prepared, device: torch.device) -> Progress:
    """Grow the trees of a run's head; validation rows, where there are some, say when to stop.

    Returns:
        A history of one entry, so that reports read alike.
    """
    start = time.monotonic()
    model, targets, seed = prepared.model.to(device), prepared.targets, prepared.recipe.train.seed
    parts = {name: _vectors(prepared, name, device) for name in ("train", "val") if name in prepared.parts}
    truth = {name: list(prepared.parts[name].truth().values()) for name in parts}
    val = (parts["val"], truth["val"]) if "val" in parts else None
    assert isinstance(model.head, TreeHead)
    model.head.take(grow_trees((parts["train"], truth["train"]), val, targets.kinds, seed))
    model.to(device)
    record: dict[str, Any] = {"epoch": 1, "loss": 0.0, "learning_rate": 0.0, "train_seconds": time.monotonic() - start}
    progress = Progress(epoch=1, best_epoch=0, history=[record], seconds=record["train_seconds"])
    for name in parts:
        part = prepared.parts[name]
        outputs = outputs_of(model, part.source, _plan(part.rows), "float32", device, workers_of(prepared.recipe))
        tensors = {n: torch.from_numpy(values) for n, values in part.truth().items()}
        loss = float(targets.loss(outputs, tensors))
        if name == "train":
            record["loss"] = loss
        else:
            scores = targets.metrics(targets.predictions(outputs), part.truth()) | {"loss": loss}
            record["val"] = scores
            progress.best = scores.get(metric_of(prepared.recipe, targets).name)
    trees = len(model.head.roots)
    prepared.notes.append(f"boosted: {trees:,} trees by {default_booster()}")
    return progress


def _vectors(prepared: Prepared, name: str, device: torch.device) -> np.ndarray:
    """`[N, F]` what the trees read."""
    part, recipe = prepared.parts[name], prepared.recipe
    outputs = outputs_of(prepared.model, part.source, _plan(part.rows), "float32", device, workers_of(recipe))
    return outputs["pooled"].numpy()


def _plan(rows: np.ndarray) -> BatchPlan:
    return BatchPlan(rows, BATCH, shuffle=False)
