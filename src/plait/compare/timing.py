"""The precision of a comparison: one for all candidates, by the time of their steps."""

from collections.abc import Sequence

import numpy as np

from plait.build.fitted import FITTED
from plait.compare.candidates import Candidate
from plait.compare.costs import median_ms
from plait.compare.experiment import Experiment
from plait.data.plan import BatchPlan
from plait.errors import PlaitError
from plait.model import MultimodalModel
from plait.training.objective import Objective
from plait.training.precision import candidates as precisions
from plait.training.precision import choose_precision
from plait.types import Batch


def settled_precision(experiment: Experiment, candidates: Sequence[Candidate]) -> str:
    """What `auto` becomes for all: whatever makes the slowest candidate fastest, which takes most of the time."""
    precision = experiment.recipe.train.precision
    if precision != "auto":
        return precision
    if len(precisions(experiment.device)) > 1:
        seconds = [_step_ms(experiment, candidate) for candidate in candidates]
        if any(seconds):
            slowest = candidates[int(np.argmax(seconds))]
            return str(choose_precision(*_step(experiment, slowest), experiment.device)[0])
    return "float32"


def _step(experiment: Experiment, candidate: Candidate) -> tuple[MultimodalModel, Batch, Objective]:
    """What a training step takes: the model, the first batch and the loss."""
    fold, settings = experiment.fold(0), experiment.recipe.train
    model = experiment.model(candidate, fold, settings.seed)
    plan = BatchPlan(fold.train, settings.batch_size, seed=settings.seed)
    batch = fold.source.batch(next(plan.epoch(0))).to(experiment.device)
    return model, batch, Objective(settings, fold.targets, model)


def _step_ms(experiment: Experiment, candidate: Candidate) -> float:
    """Milliseconds of a training step; 0 for what has none, and for what fails (its own run will say why)."""
    if candidate.method in FITTED or candidate.kind == "baseline":
        return 0.0
    try:
        model, batch, objective = _step(experiment, candidate)
        return median_ms(lambda: objective(model, batch).backward(), 1)
    except (PlaitError, RuntimeError, MemoryError, ValueError):
        return 0.0
