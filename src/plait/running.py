"""The training of one run, whatever its fusion asks for: the loop, trees, or the loop and a combiner."""

import copy
from functools import partial
from typing import Any

import numpy as np
from accelerate import Accelerator

from plait import fitting
from plait.boosting import boost, is_boosted
from plait.data.plan import BatchPlan
from plait.fusion import StackingFusion
from plait.model import MultimodalModel
from plait.run_folder import RunFolder
from plait.stacking import fit_stacking
from plait.training.loop import Interrupted, train
from plait.training.trackers import listeners


def train_run(prepared: fitting.Prepared, accelerator: Accelerator, run: RunFolder, resume: bool, verbose: bool) -> Any:
    """Train a prepared model in place; afterwards it holds the weights of the best epoch.

    Raises:
        Interrupted: Ctrl-C; the run folder can be resumed.
    """
    if is_boosted(prepared):
        return boost(prepared, accelerator.device)
    untrained = copy.deepcopy(prepared.model) if isinstance(prepared.model.fusion, StackingFusion) else None
    recipe, workers = prepared.recipe, fitting.workers_of(prepared.recipe)
    ranks = (accelerator.process_index, accelerator.num_processes)
    judge = None
    if "val" in prepared.parts:
        judge = fitting.make_judge(prepared, "val", accelerator, recipe.train.precision, workers)
    pretrained = [e for _, e in prepared.model.encoders.items() if getattr(e, "weights", None)]
    try:
        with listeners(run, recipe.train, verbose) as listener:
            progress = train(
                prepared.model,
                prepared.parts["train"].source,
                fitting.plan_for(prepared, "train", True, *ranks),
                fitting.loss_of(recipe, prepared.targets),
                recipe.train,
                judge=judge,
                metric=fitting.metric_of(recipe, prepared.targets),
                pretrained=pretrained,
                folder=run.checkpoints,
                resume=resume,
                listener=listener,
                accelerator=accelerator,
                workers=workers,
            )
    except Interrupted as error:
        raise Interrupted(f"{error}; continue with: plait train --resume {run.path}") from None
    if untrained is not None:
        _stack(prepared, untrained, accelerator, workers)
    return progress


def _stack(prepared: fitting.Prepared, untrained: MultimodalModel, accelerator: Accelerator, workers: int) -> None:
    """Fit the combiner of a stacking run on answers out of fold; every process does the same."""
    recipe, part = prepared.recipe, prepared.parts["train"]
    group = recipe.data.group
    groups = None if group is None else part.source.table.codes(group)[0][part.rows]

    def train_twin(twin: MultimodalModel, rows: np.ndarray) -> None:
        plan = BatchPlan(rows, recipe.train.batch_size, seed=recipe.train.seed)
        loss_of = fitting.loss_of(recipe, prepared.targets)
        train(twin, part.source, plan, loss_of, recipe.train, accelerator=accelerator, workers=workers)

    fit_stacking(
        prepared.model,
        partial(copy.deepcopy, untrained),
        train_twin,
        part.source,
        part.rows,
        part.truth(),
        prepared.targets,
        accelerator.device,
        groups,
        recipe.train.seed,
    )
