"""The training of one run, whatever its fusion asks for: the loop, trees, or the loop and a combiner."""

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from plait import console, fitting, judging
from plait.boosting import boost, is_boosted
from plait.data.plan import BatchPlan
from plait.distilling import Teacher
from plait.facts import environment
from plait.fusion import StackingFusion
from plait.model import MultimodalModel
from plait.objective import Objective, blend_of
from plait.recipe import Recipe
from plait.run_folder import RunFolder
from plait.stacking import fit_stacking
from plait.training.loop import Interrupted, train
from plait.training.precision import choose_precision
from plait.training.trackers import listeners

BLENDING = "blending.json"


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
    settings = recipe.train
    plan = fitting.plan_for(prepared, "train", True, *ranks)
    pretrained = [e for _, e in prepared.model.encoders.items() if getattr(e, "weights", None)]
    pretrained += getattr(getattr(prepared.model.head, "decoder", None), "pretrained", [])
    try:
        blend = _blend(prepared, plan, accelerator, run, resume)
        teacher = None
        if settings.teacher is not None and settings.distillation:
            part, grade = prepared.parts["train"], settings.distillation_temperature
            given = (settings.teacher, part.source.table, prepared.targets, grade, part.rows, accelerator.device)
            teacher = Teacher(*given, allow_outside=recipe.data.allow_outside)
        objective = Objective(settings, prepared.targets, prepared.model, accelerator, blend, teacher)
        with listeners(run, recipe.train, verbose) as listener:
            judge = None
            if "val" in prepared.parts:
                tell = listener.samples
                judge = judging.make_judge(prepared, "val", accelerator, recipe.train.precision, workers, tell)
            progress = train(
                prepared.model,
                prepared.parts["train"].source,
                plan,
                objective,
                settings,
                judge=judge,
                metric=fitting.metric_of(recipe, prepared.targets),
                pretrained=pretrained,
                folder=run.checkpoints,
                resume=resume,
                listener=listener,
                accelerator=accelerator,
                workers=workers,
                blame=objective.blame,
                around_step=objective.around_step,
            )
    except Interrupted as error:
        raise Interrupted(f"{error}; continue with: plait train --resume {run.path}") from None
    padding = str(getattr(getattr(prepared.model.head, "decoder", None), "padding", ""))
    if padding and verbose:
        console.say(padding)
    if untrained is not None:
        _stack(prepared, untrained, accelerator, workers, blend)
    return progress


def decide_precision(prepared: fitting.Prepared, accelerator: Accelerator) -> Recipe:
    """`auto` becomes what is fastest here; the recipe keeps it, so that a resumed run does the same."""
    recipe = prepared.recipe
    if is_boosted(prepared):
        recipe = recipe.updated({"train": {"precision": "float32"}})
    if recipe.train.precision == "auto":
        plan = fitting.plan_for(prepared, "train", shuffle=True)
        batch = prepared.parts["train"].source.batch(next(plan.epoch(0))).to(accelerator.device)
        objective = Objective(recipe.train, prepared.targets, prepared.model)
        chosen, reason = choose_precision(prepared.model, batch, objective, accelerator.device)
        if accelerator.num_processes > 1:  # each timed its own; all do as the first
            chosen, reason = broadcast_object_list([chosen, reason])
        recipe = recipe.updated({"train": {"precision": chosen}})
        prepared.notes.append(f"precision: {chosen}, {reason}")
    loaded = {**dict(prepared.model.encoders.items()), "decoder": getattr(prepared.model.head, "decoder", None)}
    weights = {n: part.weights for n, part in loaded.items() if getattr(part, "weights", None)}
    resolved = {"versions": environment(), **({"weights": weights} if weights else {})}
    return recipe.model_copy(update={"resolved": resolved, "inputs": prepared.recipe.inputs})


def _blend(
    prepared: fitting.Prepared, plan: BatchPlan, accelerator: Accelerator, run: RunFolder, resume: bool
) -> dict[str, float] | None:
    """Weights of gradient blending, estimated once a run and kept in its folder."""
    settings, part = prepared.recipe.train, prepared.parts["train"]
    if resume and (run.path / BLENDING).exists():
        return {name: float(weight) for name, weight in run.read_json(BLENDING).items()}
    judged, workers = prepared.parts.get("val"), fitting.workers_of(prepared.recipe)
    val = None if judged is None else (judged.source, judged.rows)
    found = blend_of(prepared.model, settings, prepared.targets, part.source, plan, val, accelerator, workers)
    if found is not None:
        found = broadcast_object_list([found])[0] if accelerator.num_processes > 1 else found
        if accelerator.is_main_process:
            run.write_json(BLENDING, found)
        said = ", ".join(f"{name} {weight:.3f}" for name, weight in found.items())
        prepared.notes.append(f"gradient blending, weights of the losses: {said}")
    return found


def _stack(
    prepared: fitting.Prepared,
    untrained: MultimodalModel,
    accelerator: Accelerator,
    workers: int,
    blend: Mapping[str, float] | None,
) -> None:
    """Fit the combiner of a stacking run on answers out of fold; every process does the same."""
    recipe, part = prepared.recipe, prepared.parts["train"]
    group = recipe.data.group
    groups = None if group is None else part.source.table.codes(group)[0][part.rows]

    def train_twin(twin: MultimodalModel, rows: np.ndarray) -> None:
        plan = BatchPlan(rows, recipe.train.batch_size, seed=recipe.train.seed)
        objective = Objective(recipe.train, prepared.targets, twin, accelerator, blend)
        around = objective.around_step
        train(
            twin,
            part.source,
            plan,
            objective,
            recipe.train,
            accelerator=accelerator,
            workers=workers,
            around_step=around,
        )

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
