"""The training of one run, by whichever way its fusion needs: the loop, trees, or the loop and a combiner."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from plait import console
from plait.build.ensemble import ENSEMBLE
from plait.build.fitted import FITTED
from plait.build.model import with_positions
from plait.data.plan import BatchPlan
from plait.encoders.tuning import stored_part
from plait.errors import PlaitError, RunError
from plait.files.atomic import ADVICE, why
from plait.model import MultimodalModel
from plait.recipe import Recipe
from plait.runs import prepare, validation
from plait.runs.calibrate import calibrate, choosing
from plait.runs.ensemble import train_members
from plait.runs.facts import environment
from plait.runs.fit import Lesson, fit
from plait.runs.fitted import FittedRows, fitted_progress, is_fitted
from plait.runs.folder import RunFolder, claimed_folder
from plait.runs.split import group_codes
from plait.runs.teacher import Teacher
from plait.runs.threshold import choose_thresholds
from plait.training.checkpoint import LAST, Progress, progress_of
from plait.training.loop import Interrupted, train
from plait.training.objective import Objective, blend_of
from plait.training.pace import EPOCHS, as_long_as, expected_epochs, fallback
from plait.training.precision import choose_precision
from plait.training.trackers import check_trackers, listeners

BLENDING = "blending.json"


def recipe_to_train(recipe: Recipe, output: str | Path | None, resume: bool, verbose: bool) -> Recipe:
    """The recipe to train: the given one, or that of the run to resume. What would stop the run fails here, early.

    Raises:
        RunError: the folder holds something already, or holds no run to resume.
        RecipeError, MissingExtra: a tracker is not there.
    """
    if output is not None or resume:
        run = RunFolder(Path(output or ".").expanduser())
        if not resume:
            run.refuse_existing()
        else:
            recipe = with_positions(run.read_recipe(), positions=False)
            if recipe.train.epochs is None:  # begun when ten were what counted where nothing was set
                recipe = recipe.with_training(epochs=EPOCHS)
            if run.weights.exists() and verbose:
                console.say(f"{run.path}: the run is finished already; its results are written again")
            before, now = recipe.resolved.get("threads"), torch.get_num_threads()
            if before not in (None, now) and recipe.train.device in ("auto", "cpu"):
                console.say(
                    f"{run.path}: began with {before} threads and goes on with {now}; on a CPU sums are then rounded "
                    f"in another order, so the weights end a little different; OMP_NUM_THREADS={before} avoids it"
                )
    if recipe.train.epochs is None and recipe.fusion.method not in FITTED:  # new runs say so
        recipe = recipe.with_training(epochs="auto")
    check_trackers(recipe.train.trackers)
    return recipe


@contextmanager
def folder_of_run(accelerator: Accelerator, output: str | Path | None, stem: str, resume: bool) -> Iterator[RunFolder]:
    """The run's folder (see `claimed_folder`): the first process claims it and sends its path to the others.

    Raises:
        RunError: it can't be claimed; raised in all processes.
        Interrupted: Ctrl-C within, and there are weights to go on with.
    """
    with ExitStack() as stack:
        outcome: RunFolder | PlaitError | None = None
        if accelerator.is_main_process:
            try:
                outcome = stack.enter_context(claimed_folder(output, stem, goes_on="run" if resume else ""))
            except PlaitError as error:
                outcome = error
        if accelerator.num_processes > 1:
            outcome = broadcast_object_list([outcome])[0]
        if not isinstance(outcome, RunFolder):
            assert outcome is not None
            raise outcome
        run = outcome
        try:
            yield run
        except RunError as error:  # such as a disk that ran full during training
            cause = error.__cause__
            if not run.trained or not isinstance(cause, Exception) or why(cause)[1] not in ADVICE:
                raise
            raise RunError(f"{error}, then continue with: plait train --resume {run.path}") from cause
        except (Interrupted, KeyboardInterrupt) as stop:
            if not run.trained:
                raise
            where = str(stop) or "stopped"
            if run.weights.exists():
                where = f"stopped after training: {run.weights} is there, metrics and report are not"
            raise Interrupted(f"{where}; continue with: plait train --resume {run.path}") from None


def train_run(prepared: prepare.Prepared, accelerator: Accelerator, run: RunFolder, resume: bool, verbose: bool) -> Any:
    """Train a prepared model in place; afterwards it holds the weights of the best epoch.

    Raises:
        Interrupted: Ctrl-C.
    """
    if prepared.recipe.fusion.method == ENSEMBLE:
        one = partial(train_run, accelerator=accelerator, resume=False, verbose=verbose)
        progress = train_members(prepared, run, lambda member, folder: one(member, run=folder), verbose)
        calibrate(prepared, accelerator.device)
        choose_thresholds(prepared, accelerator.device)
        return progress
    # What the loop needs, whichever way the fusion is trained.
    recipe, workers, part = prepared.recipe, prepare.workers_of(prepared.recipe), prepared.parts["train"]
    ranks = (accelerator.process_index, accelerator.num_processes)
    settings, metric = recipe.train, prepare.metric_of(recipe, prepared.targets)
    plan = prepare.plan_for(prepared, "train", True, *ranks)
    # Modules that were pretrained learn at a rate of their own.
    pretrained = [stored_part(e) for _, e in prepared.model.encoders.items() if getattr(e, "weights", None)]
    pretrained += getattr(getattr(prepared.model.head, "decoder", None), "pretrained", [])

    if resume and accelerator.is_main_process and not is_fitted(prepared.model):
        done = progress_of(run.checkpoints / LAST)
        run.trim_log(done.epoch, done.step)
    blend = None if is_fitted(prepared.model) else _blend(prepared, plan, accelerator, run, resume)
    start = time.monotonic()

    def train_whole() -> Progress:
        teacher = _teacher(prepared, accelerator)
        objective = Objective(settings, prepared.targets, prepared.model, accelerator, blend, teacher, prepared.weights)
        with listeners(run, recipe.train, verbose) as listener:
            validate = None
            if "val" in prepared.parts:
                precision, note = recipe.train.precision, listener.samples
                choose = replace(prepared, parts={**prepared.parts, "val": choosing(prepared) or part})
                validate = validation.make_validation(choose, "val", accelerator, precision, workers, note)
            return train(
                prepared.model,
                part.source,
                plan,
                objective,
                settings,
                validate=validate,
                metric=metric,
                pretrained=pretrained,
                folder=run.checkpoints,
                resume=resume,
                listener=listener,
                accelerator=accelerator,
                workers=workers,
                nonfinite_rows=objective.nonfinite_rows,
                around_step=objective.around_step,
            )

    def train_on_rows(twin: MultimodalModel, rows: np.ndarray, whole: Progress) -> Progress:
        rest = BatchPlan(rows, settings.batch_size, seed=settings.seed)
        objective = Objective(settings, prepared.targets, twin, accelerator, blend, row_weights=prepared.weights)
        around, planned = objective.around_step, as_long_as(whole, settings)
        return train(
            twin, part.source, rest, objective, planned, accelerator=accelerator, workers=workers, around_step=around
        )

    # What is fitted calls neither of these two, and stacking calls them as often as it needs.
    lesson = _lesson(prepared, accelerator.device)
    progress = fit(prepared.model, lesson, train_whole, train_on_rows)
    calibrate(prepared, accelerator.device)
    choose_thresholds(prepared, accelerator.device)
    if progress is None:
        return fitted_progress(prepared, lesson.notes, accelerator.device, time.monotonic() - start)

    # Last, what the user should know about how it went.
    padding = str(getattr(getattr(prepared.model.head, "decoder", None), "padding", ""))
    unjudged = fallback(progress, metric)
    prepared.notes += [unjudged] if unjudged else []
    for line in (padding, unjudged):
        if line and verbose:
            console.say(line)
    return progress


def _teacher(prepared: prepare.Prepared, accelerator: Accelerator) -> Teacher | None:
    settings, part = prepared.recipe.train, prepared.parts["train"]
    if settings.teacher is None or not settings.distillation:
        return None
    arguments = (part.source.table, prepared.targets, settings.distillation_temperature, part.rows, accelerator.device)
    return Teacher(settings.teacher, *arguments, allow_outside=prepared.recipe.data.allow_outside)


def _lesson(prepared: prepare.Prepared, device: torch.device) -> Lesson:
    recipe, part, val = prepared.recipe, prepared.parts["train"], choosing(prepared)
    return Lesson(
        part.source,
        part.rows,
        None if val is None else FittedRows(val.source, val.rows, list(val.truth().values())),
        {name: values.numpy() for name, values in part.source.targets.items()},
        prepared.targets,
        device,
        group_codes(recipe, part.source.table, part.rows),
        recipe.train.seed,
        prepare.workers_of(recipe),
        weights=prepared.weights,
    )


def decide_precision(prepared: prepare.Prepared, accelerator: Accelerator) -> Recipe:
    """Replace the precision `auto` by what is fastest here; the recipe keeps it, so a resumed run does the same."""
    recipe = prepared.recipe
    if is_fitted(prepared.model) or recipe.fusion.method == ENSEMBLE:
        recipe = recipe.updated({"train": {"precision": "float32"}})
    if recipe.train.precision == "auto":
        plan = prepare.plan_for(prepared, "train", shuffle=True)
        batch = prepared.parts["train"].source.batch(next(plan.epoch(0))).to(accelerator.device)
        objective = Objective(recipe.train, prepared.targets, prepared.model)
        steps = plan.steps * expected_epochs(recipe.train, plan.steps)
        chosen, reason = choose_precision(prepared.model, batch, objective, accelerator.device, steps)
        if accelerator.num_processes > 1:  # each process timed for itself; all use the first one's choice
            chosen, reason = broadcast_object_list([chosen, reason])
        recipe = recipe.updated({"train": {"precision": chosen}})
        prepared.notes.append(f"precision: {chosen}, {reason}")
    loaded = {**dict(prepared.model.encoders.items()), "decoder": getattr(prepared.model.head, "decoder", None)}
    weights = {n: part.weights for n, part in loaded.items() if getattr(part, "weights", None)}
    # On a CPU two runs agree bit by bit only with the same number of threads, which decides the order of sums.
    resolved = {"versions": environment(), "threads": torch.get_num_threads()}
    resolved |= {"weights": weights} if weights else {}
    return recipe.model_copy(update={"resolved": resolved, "inputs": prepared.recipe.inputs})


def _blend(
    prepared: prepare.Prepared, plan: BatchPlan, accelerator: Accelerator, run: RunFolder, resume: bool
) -> dict[str, float] | None:
    """The loss weights of gradient blending, estimated once per run and kept in its folder; None where it is off."""
    settings, part = prepared.recipe.train, prepared.parts["train"]
    if resume and (run.path / BLENDING).exists():
        return {name: float(weight) for name, weight in run.read_json(BLENDING).items()}
    val_part, workers = prepared.parts.get("val"), prepare.workers_of(prepared.recipe)
    val = None if val_part is None else (val_part.source, val_part.rows)
    weights = blend_of(
        prepared.model, settings, prepared.targets, part.source, plan, val, accelerator, workers, prepared.weights
    )
    if weights is not None:
        weights = broadcast_object_list([weights])[0] if accelerator.num_processes > 1 else weights
        if accelerator.is_main_process:
            run.write_json(BLENDING, weights)
        listed = ", ".join(f"{name} {weight:.3f}" for name, weight in weights.items())
        prepared.notes.append(f"gradient blending, weights of the losses: {listed}")
    return weights
