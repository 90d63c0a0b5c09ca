"""One target or several, behind one interface."""

from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.data.table import Table
from plait.errors import DataError, RecipeError, RunError, unknown
from plait.files.reading import checked, made_of
from plait.layers.ragged import Ragged
from plait.layers.spaces import Space
from plait.modalities import Sample
from plait.tasks.classification import Classification
from plait.tasks.events import Events
from plait.tasks.generation import Generation
from plait.tasks.matching import Matching
from plait.tasks.multilabel import Multilabel
from plait.tasks.regression import Regression
from plait.tasks.retrieval import Retrieval
from plait.tasks.synchrony import Synchrony
from plait.tasks.task import Task
from plait.types import Batch, Output
from plait.values import shown

# In the order in which they are tried on a target's values; classification takes what is left.
TASKS: dict[str, type[Task]] = {
    "events": Events,
    "synchrony": Synchrony,
    "multilabel": Multilabel,
    "regression": Regression,
    "classification": Classification,
    "generation": Generation,
    "matching": Matching,
    "retrieval": Retrieval,
}


class Targets:
    """The tasks of a run by target; losses add up.

    Args:
        tasks: target → task.
        weights: target → weight of its loss; one where missing.

    >>> targets = Targets({"answer": Classification(["no", "yes"])})
    >>> logits = {"answer": torch.tensor([[0.0, 9.0]])}
    >>> targets.metrics(targets.predictions(logits), {"answer": np.array([1])})["accuracy"]
    1.0
    """

    def __init__(self, tasks: Mapping[str, Task], weights: Mapping[str, float] | None = None) -> None:
        self.tasks = dict(tasks)
        self.weights = {name: (weights or {}).get(name, 1.0) for name in self.tasks}

    @property
    def names(self) -> list[str]:
        return list(self.tasks)

    @property
    def spaces(self) -> list[Space]:
        """The distributions whose parameters the raw predictions of each target are, in order.

        Raises:
            RecipeError: a target's answers have no distribution.
        """
        spaces = [task.space for task in self.tasks.values()]
        for task, space in zip(self.tasks.values(), spaces, strict=True):
            if space is None:
                raise RecipeError(f"the answers of {task.kind} are no distribution that could be averaged or fitted")
        return [space for space in spaces if space is not None]

    def require_probabilities(self) -> None:
        """Refuse targets whose answers are not classes.

        Raises:
            RecipeError: a target is a number, a text or a vector.
        """
        for name, task in self.tasks.items():
            if not hasattr(task, "classes"):
                raise RecipeError(f"{name!r} is a {task.kind} target and has no probabilities; use predict")

    @property
    def out_dims(self) -> dict[str, int]:
        return {name: task.out_dim for name, task in self.tasks.items()}

    @property
    def only(self) -> Task | None:
        """The run's task, if it is one that allows no other beside it; else None."""
        first = next(iter(self.tasks.values()))
        return first if first.alone else None

    @property
    def writer(self) -> Any:
        """The task that a decoder writes for; None where there is none."""
        return next((task for task in self.tasks.values() if task.writes is not None), None)

    @property
    def pairs(self) -> Any:
        """The task about what belongs to what; None where there is none."""
        return next((task for task in self.tasks.values() if task.pairs), None)

    @property
    def joint(self) -> bool:
        """Whether a row's modalities answer together; else each input has a vector of its own."""
        return all(task.joint for task in self.tasks.values())

    @property
    def slow(self) -> bool:
        """Whether answering or scoring takes long."""
        return any(task.slow for task in self.tasks.values())

    def with_task(self, name: str, task: Task) -> "Targets":
        """The same targets, with the task of one replaced."""
        return Targets({**self.tasks, name: task}, self.weights)

    def encode(self, table: Table, lenient: bool = False) -> dict[str, np.ndarray]:
        """`[rows of the table, …]` encoded truth of each target that the table has.

        Args:
            table: the rows.
            lenient: a target cell that can't be read counts as empty; else it is an error.
        """
        read = {name: task.read(table, name, lenient) for name, task in self.tasks.items()}
        return {name: truth for name, truth in read.items() if truth is not None}

    def in_spaces(self, truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Encoded targets as the points that models learn: `[N]` classes or numbers on the standard scale, `[N, W]`."""
        return {name: self.tasks[name].in_space(values) for name, values in truth.items()}

    def prepare(self, batch: Batch, score: Callable[[str, Batch], Tensor]) -> Batch:
        """A batch as it is learned from; see `Task.prepare`. `score` gives raw predictions of a target."""
        for name, task in self.tasks.items():
            batch = task.prepare(batch, name, partial(score, name))
        return batch

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any], row_weights: Tensor | None = None) -> Tensor:
        """The weighted sum of the tasks' losses, a scalar; `row_weights` `[B]` say how much each row counts."""
        losses = []
        for name, task in self.tasks.items():
            logits, target, rows = task.items(outputs[name], targets[name])
            if row_weights is None:
                losses.append(self.weights[name] * task.loss(logits, target))
                continue
            weight = (
                row_weights
                if rows is None
                else row_weights.repeat_interleave(torch.as_tensor(rows.lengths, device=row_weights.device))
            )
            losses.append(self.weights[name] * task.loss(logits, target, weight))  # type: ignore[call-arg]  # weighable
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def loss_of(
        self,
        output: Output,
        targets: Mapping[str, Tensor],
        alone: Mapping[str, float] | float = 1.0,
        whole: float = 1.0,
        row_weights: Tensor | None = None,
    ) -> Tensor:
        """The weighted loss of a model's answer, and of each modality's own answer to the rows that have it.

        Args:
            output: of the model.
            targets: target → `[B, …]`.
            alone: weight of each modality's own loss, or one for all.
            whole: weight of the loss of the model's answer.
            row_weights: `[B]` how much each row counts; None for all alike.
        """
        total = whole * self.loss(output.predictions, targets, row_weights)
        for name, answer in output.alone.items():
            weight = alone if isinstance(alone, float) else alone.get(name, 1.0)
            if weight and bool(answer.present.any()):
                predictions = {target: values[answer.present] for target, values in answer.predictions.items()}
                theirs = None if row_weights is None else row_weights[answer.present]
                truth = {t: targets[t][answer.present] for t in predictions}
                total = total + weight * self.loss(predictions, truth, theirs)
        return total

    def row_loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> Tensor:
        """`[B]` weighted sum of the tasks' losses of each row: which rows are hard."""
        losses = []
        for name, task in self.tasks.items():
            logits, target, rows = task.items(outputs[name], targets[name])
            each = task.row_loss(logits, target)
            losses.append(self.weights[name] * (each if rows is None else rows.row_means(each)))
        return torch.stack(losses).sum(0)

    def predictions(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Raw outputs → probabilities or numbers."""
        return {
            name: outputs[name].map(task.predictions)
            if isinstance(outputs[name], Ragged)
            else task.predictions(outputs[name])
            for name, task in self.tasks.items()
        }

    def metrics(
        self,
        predictions: Mapping[str, Any],
        truth: Mapping[str, Any],
        names: Sequence[str] | None = None,
    ) -> dict[str, float]:
        """Metrics over the rows that have a target: all that fit, or the named ones (`loss` is not among them).

        With several targets the names are `target.metric`.
        """
        scores = {}
        for name, task in self.tasks.items():
            usable = ~task.unusable(truth[name])
            chosen = [m for m in task.measures if names is None or self.metric_name(name, m) in names]
            values = task.score(truth[name][usable], predictions[name][usable], chosen)
            scores.update({self.metric_name(name, metric): value for metric, value in values.items()})
        return scores

    def columns(self, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The columns of a predictions file; underscores are added where two would have the same name."""
        out: dict[str, Any] = {}
        for name, task in self.tasks.items():
            for column, values in task.columns(name, predictions[name]).items():
                out[column if column == name else unused(column, {*out, *self.tasks})] = values
        return out

    def metric_name(self, target: str, metric: str) -> str:
        return metric if len(self.tasks) == 1 else f"{target}.{metric}"

    @property
    def measures(self) -> dict[str, bool]:
        """All metrics that fit, by the names that `metrics` gives them, and whether higher is better."""
        return {
            self.metric_name(target, metric): higher_is_better
            for target, task in self.tasks.items()
            for metric, higher_is_better in task.measures.items()
        }

    def choose_metric(self, name: str | None) -> tuple[str, bool]:
        """The metric that picks the best epoch, and whether higher is better.

        Raises:
            RecipeError: the name is unknown or fits no target.
        """
        fitting = self.measures
        if name is None:
            target, task = next(iter(self.tasks.items()))
            name = self.metric_name(target, task.default_metric)
        if name not in fitting and name != "loss":
            raise RecipeError(unknown("metric", name, ["loss", *fitting]))
        return name, fitting.get(name, False)

    def choose_score(self, name: str | None) -> tuple[str, bool]:
        """As `choose_metric`, but with the first task's default metric in place of the loss, which is no score."""
        chosen = self.choose_metric(name)
        return self.choose_metric(None) if chosen[0] == "loss" else chosen

    @property
    def usual_score(self) -> tuple[str, bool]:
        """The first target's score as scikit-learn's estimators have it, and whether higher is better."""
        target, task = next(iter(self.tasks.items()))
        return self.choose_metric(self.metric_name(target, task.usual_score or task.default_metric))

    def to_json(self) -> dict[str, Any]:
        return {
            name: {"kind": task.kind, "weight": self.weights[name], **task.to_json()}
            for name, task in self.tasks.items()
        }

    @classmethod
    def from_json(cls, state: Any, source: object = "targets.json") -> "Targets":
        """What `to_json` gave.

        Raises:
            RunError: it is something else.
        """
        tasks, weights = {}, {}
        for name, values in checked(state, dict[str, dict[str, Any]], source, RunError).items():
            options = dict(values)
            weights[name] = checked(options.pop("weight", None), float, f"{source}: {name}.weight", RunError)
            kind = str(options.pop("kind", None))
            if kind not in TASKS:
                raise RunError(f"{source}: {unknown('kind of task', kind[:60], TASKS)}")
            tasks[name] = made_of(TASKS[kind], options, f"{source}: {name}")
        if not tasks:
            raise RunError(f"{source}: expected a run's targets, found none")
        return cls(tasks, weights)


def unused(name: str, taken: Container[str]) -> str:
    """The name, followed by as many underscores as it takes to differ from all of `taken`.

    >>> unused("row", {"row", "row_"}), unused("row", {"price"})
    ('row__', 'row')
    """
    while name in taken:
        name += "_"
    return name


def guess_task(sample: Sample) -> tuple[str, str]:
    """The kind of task that a target column asks for, and why: the first that recognises it.

    Raises:
        DataError: it has no value, or only one.
    """
    if not sample.values:
        raise DataError(f"target {sample.name!r} has no values; name another column with --target")
    for kind, task in TASKS.items():
        reason = task.recognise(sample) if sample.distinct > 1 or isinstance(sample.values[0], list) else None
        if reason is not None:
            return kind, reason
    value = shown(sample.values[0], 40)
    raise DataError(f"target {sample.name!r} is constant (always {value}, one class); there is nothing to learn")
