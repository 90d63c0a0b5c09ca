"""From which probability on the second of two classes is the answer, chosen on validation rows."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from plait.data.plan import BatchPlan
from plait.errors import RecipeError
from plait.metrics import METRICS
from plait.recipe import Recipe, TaskRecipe
from plait.runs.calibrate import BATCH, calibration_rows
from plait.runs.prepare import Prepared, workers_of
from plait.tasks import Task
from plait.training.evaluate import outputs_of
from plait.values import as_text

CHOSEN = ("threshold", "costs")  # options of a task that may be left to validation rows
STEPS = 500  # thresholds that are tried, at most
FEW = 20  # rows of the rarer class, below which the choice is rough


def check_thresholds(prepared: Prepared) -> None:
    """Refuse a threshold that is to be chosen where there are no rows to choose it on.

    Raises:
        RecipeError: `data.val` is none.
    """
    for name, what in _asked(prepared).items():
        if "val" not in prepared.parts:
            raise RecipeError(
                f"{name}: {what} is chosen on validation rows, and data.val is none; give a number instead"
            )


def choose_thresholds(prepared: Prepared, device: torch.device) -> None:
    """Choose what the recipe leaves to the validation rows; `prepared.targets` keeps it, and a note says what it did.

    On the rows that calibrated the probabilities, where there are some: these did not choose the weights.
    """
    asked = _asked(prepared)
    fitted = [name for name, task in prepared.targets.tasks.items() if type(task).fitted_to is not Task.fitted_to]
    if not asked and not (fitted and "val" in prepared.parts):
        return
    part = prepared.parts["val"]
    kept = calibration_rows(prepared)
    rows = kept if len(kept) else part.rows
    precision = prepared.recipe.train.precision.replace("auto", "float32")
    plan = BatchPlan(rows, BATCH, shuffle=False)
    outputs = outputs_of(prepared.model, part.source, plan, precision, device, workers_of(prepared.recipe))
    for name in asked:
        task: Any = prepared.targets.tasks[name]
        truth = part.source.targets[name].numpy()[rows]
        usable = ~task.unusable(truth)
        truth, second = truth[usable], task.predictions(outputs[name][torch.from_numpy(usable)])[:, 1]
        aim, value_of = _aim(_options(prepared)[name], task.classes)
        best = best_threshold(second, truth, value_of)
        prepared.targets = prepared.targets.with_task(name, task.with_threshold(best))
        before, after = (abs(value_of(truth, (second >= edge).astype(np.int64))) for edge in (0.5, best))
        line = f"{name}: {as_text(task.classes[1])} from probability {best:.3g} on; {aim} of {len(truth):,} "
        line += "validation rows"
        fewest = int(np.bincount(truth, minlength=2).min())
        rough = f"; rough, only {fewest} rows are of the rarer class" if fewest < FEW else ""
        prepared.notes.append(f"{line} {after:.3f}, at one half {before:.3f}{rough}")
    for name in fitted:
        task, truth = prepared.targets.tasks[name], part.source.targets[name][torch.from_numpy(rows)].numpy()
        usable = ~task.unusable(truth)
        predictions = prepared.targets.predictions(outputs)[name][usable]
        chosen = task.fitted_to(truth[usable], predictions)
        if chosen is not None:
            prepared.targets = prepared.targets.with_task(name, chosen[0])
            prepared.notes.append(f"{name}: {chosen[1]}")


def best_threshold(second: np.ndarray, truth: np.ndarray, value_of: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """The threshold of the highest value; of equal ones the one nearest to one half.

    Args:
        second: `[N]` probabilities of the second class.
        truth: `[N]` codes, 0 or 1.
        value_of: truth and answers → a number, of which more is better.

    >>> best_threshold(np.array([0.1, 0.2, 0.4]), np.array([0, 1, 1]), lambda y, said: (y == said).mean()).__round__(2)
    0.15
    """
    values = np.unique(second)
    edges = np.concatenate([(values[1:] + values[:-1]) / 2, [0.5, values[0] / 2, (1 + values[-1]) / 2]])
    edges = np.unique(edges[(edges > 0) & (edges < 1)])
    if len(edges) > STEPS:
        edges = np.unique(np.quantile(edges, np.linspace(0, 1, STEPS)))
    scored = np.array([value_of(truth, (second >= edge).astype(np.int64)) for edge in edges])
    equal = edges[scored >= scored.max() - 1e-12]
    return float(equal[np.abs(equal - 0.5).argmin()])


def _aim(options: Mapping[str, Any], classes: list[Any]) -> tuple[str, Callable[[np.ndarray, np.ndarray], float]]:
    """What the threshold is best for, in words, and its value; of costs the negative mean."""
    costs = options.get("costs")
    if costs is None:
        function = METRICS[options["threshold"]].function
        return str(options["threshold"]), lambda truth, said: function(truth, np.eye(2)[said])
    of_class = np.array([float(costs.get(as_text(name), 1.0)) for name in classes])
    return "the mean cost", lambda truth, said: -float((of_class[truth] * (truth != said)).mean())


def _options(prepared: Prepared) -> dict[str, dict[str, Any]]:
    return {spec.target: spec.options for spec in prepared.recipe.task if spec.target is not None}


def without_chosen(recipe: Recipe) -> Recipe:
    """The recipe without what is chosen on validation rows; the same object where there is nothing of that kind."""
    tasks = []
    for spec in recipe.task:
        options = {name: spec.options[name] for name in CHOSEN if isinstance(spec.options.get(name), str | Mapping)}
        kept = {name: value for name, value in spec.model_dump(exclude_unset=True).items() if name not in options}
        tasks.append(TaskRecipe(**kept) if options else spec)
    same = all(one is other for one, other in zip(tasks, recipe.task, strict=True))
    return recipe if same else recipe.model_copy(update={"task": tasks})


def _asked(prepared: Prepared) -> dict[str, str]:
    """Targets whose threshold is to be chosen → the setting that says so."""
    asked = {}
    for name, options in _options(prepared).items():
        if hasattr(prepared.targets.tasks.get(name), "with_threshold"):
            if options.get("costs") is not None:
                asked[name] = "task.costs"
            elif isinstance(options.get("threshold"), str):
                asked[name] = f"task.threshold={options['threshold']}"
    return asked
