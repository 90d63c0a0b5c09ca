"""What a task is: one object with everything that depends on what is predicted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from plait.data.table import Table
from plait.errors import RecipeError
from plait.layers.ragged import Ragged, items_of
from plait.layers.spaces import Space
from plait.metrics import fitting, score
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.types import Batch


@dataclass(frozen=True)
class Figure:
    """Something about answers that a report draws.

    Args:
        kind: `confusion` (counts `[C, C]` and the classes), `reliability` (mean probability of the answer, share that
            is right, and rows, of each bin), `scatter` (true and predicted numbers), `histogram`
            (numbers and a title), `bars` (name → number and a title), `timelines` (of some rows true and found events,
            each start, end, label and score; and all labels).
        data: what is drawn.
    """

    kind: Literal["confusion", "reliability", "scatter", "histogram", "bars", "timelines"]
    data: tuple[Any, ...]


@dataclass(frozen=True)
class Card:
    """One answer beside the truth, as a report shows it.

    Args:
        given, true: the answer and the truth, in words.
        right: whether the answer is right; None where that is not a matter of yes or no.
        share: how sure the model is, in words.
    """

    given: str
    true: str
    right: bool | None = None
    share: str = ""


@dataclass(frozen=True)
class Sample:
    """A row's answer during training.

    Args:
        answer: of the model.
        right: the right answers.
    """

    answer: Any
    right: Sequence[Any] = field(default_factory=tuple)


class Task(Protocol):
    """What is predicted for a row. Code that trains, scores or shows answers calls this object, whatever its name.

    A class of your own names `Task` as its base and defines what has no default here; see docs/extending.md. It is
    made from training rows by `from_table`, and written out by `to_json`, whose dict its constructor takes.

    N rows, B rows of a batch, W raw predictions a row. Truth and predictions are arrays whose first dimension is rows.
    Where a task `reads` an input or is `stepwise`, its rows differ in length: `read`, `unusable`, `score`, `answers`
    and `card` get `Ragged` with an item per token, while `loss`, `row_loss` and `predictions` get all tokens as if they
    were rows. Truth that is not one item a token is brought to tokens by `items`.
    """

    kind: ClassVar[str]
    default_metric: str
    estimator_type: ClassVar[str | None] = None  # what scikit-learn calls who answers it: `classifier`, `regressor`
    usual_score: ClassVar[str | None] = None  # the score of scikit-learn's estimators, where that is another metric
    alone: ClassVar[bool] = False  # it is a run's only task
    pairs: ClassVar[bool] = False  # it is about what belongs together: its truth is in the columns of its sides
    joint: ClassVar[bool] = True  # a row's modalities answer together; else each input has a vector of its own
    writes: ClassVar[str | None] = None  # what a decoder writes for it: `text`
    slow: ClassVar[bool] = False  # answering or scoring takes long, so reports use fewer rows and draws
    learns_scale: ClassVar[bool] = False  # it learns a scale, which each fold of a comparison learns on its own rows
    weighable: ClassVar[bool] = False  # `loss` takes weights of rows
    in_batch: ClassVar[bool] = False  # the other rows of a batch are its negatives
    reads: str | None = None  # it answers for each token of that input; truth and predictions are `Ragged`
    stepwise: ClassVar[bool] = False  # it answers for each step in time, of an input or of the fusion's clock
    own_fusion: ClassVar[bool] = False  # it compares its inputs in a way of its own, and no fusion is chosen
    usual_name: ClassVar[str | None] = None  # its name where no column is predicted; None: it needs a column
    column_options: ClassVar[Mapping[str, str]] = {}  # options that name a column → what the column is for
    stratified: ClassVar[bool] = True  # its target may be a class, whose shares are the same in all parts of a split
    uncompared: ClassVar[str] = ""  # why `compare` can't judge it
    lacking: ClassVar[str] = "no usable target"  # why a row can't be learned from

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """The reason why a target with such values is of this task, in words; None where it is not."""
        return None

    @classmethod
    def from_table(cls, asked: Asked) -> "Task":
        """The task, fitted on training rows. Further keyword arguments are its options in a recipe.

        Raises:
            DataError: the target does not fit.
        """
        ...

    @property
    def ragged(self) -> bool:
        """Whether rows differ in how many answers they have."""
        return self.stepwise or self.reads is not None

    @property
    def space(self) -> Space | None:
        """The distribution whose parameters its raw predictions are; None where there is none."""
        return None

    @property
    def out_dim(self) -> int:
        """W."""
        ...

    @property
    def measures(self) -> Mapping[str, bool]:
        """Metric → whether higher is better; by default those of `plait.metrics.METRICS` that are of this kind."""
        return fitting(self.kind)

    def read(self, table: Table, name: str, lenient: bool = False) -> Any:
        """The encoded truth of all rows of a table; None where the table lacks it.

        Args:
            table: the rows.
            name: of the target.
            lenient: a target cell that can't be read counts as empty; else it is an error.
        """
        return self.encode(table.iterate(name), lenient) if name in table else None

    def encode(self, values: Iterable[Any], lenient: bool = False) -> Any:
        """The encoded truth of cells. Only for tasks whose truth is one column; others define `read`."""
        raise RecipeError(f"task {self.kind} has neither read nor encode; define one of them to encode its targets")

    def unusable(self, truth: Any) -> np.ndarray:
        """`[N]` bool: nothing can be learned from the row, nor can it be scored."""
        ...

    def unseen(self, truth: Any) -> np.ndarray:
        """`[N]` bool: the row has an answer that training never saw."""
        return np.zeros(len(truth), dtype=bool)

    def items(self, given: Any, target: Any) -> tuple[Any, Any, Ragged | None]:
        """Raw predictions and targets as `loss` takes them, and which item belongs to which row; see `items_of`."""
        return items_of(given, target)

    def loss(self, logits: Any, target: Any) -> Tensor:
        """The mean loss of the rows that have a target; a `weighable` task's takes weights `[B]`, too."""
        ...

    def row_loss(self, logits: Any, target: Any) -> Tensor:
        """`[B]` the loss of each row, 0 where it has no target."""
        ...

    def predictions(self, logits: Any) -> Any:
        """`[N, …]` what is scored and kept: probabilities, numbers in the user's units."""
        ...

    def answers(self, predictions: Any) -> list[Any]:
        """The answer to each row, in the user's words."""
        ...

    def columns(self, name: str, predictions: Any) -> dict[str, Any]:
        """What a file of predictions holds."""
        return {name: self.answers(predictions)}

    def score(self, truth: Any, predictions: Any, names: Sequence[str] | None = None) -> dict[str, float]:
        """Metrics over rows that all have a target: all of `measures` or the named ones, except undefined ones."""
        return score(self.kind, truth, predictions, names)

    def to_json(self) -> dict[str, Any]:
        """What the constructor takes."""
        ...

    # What most tasks need not define.

    def fitted_to(self, truth: Any, predictions: Any) -> "tuple[Task, str] | None":
        """The task with what is chosen on validation rows after training, and a note; None where nothing is."""
        return None

    def in_space(self, truth: np.ndarray) -> np.ndarray:
        """Encoded targets as the points of the space: classes, or numbers on the standard scale."""
        return truth

    def strata(self, truth: Any) -> np.ndarray | None:
        """`[N]` codes of classes, whose shares are the same in all folds; None where there are no classes."""
        return None

    def lengths(self, truth: Any) -> np.ndarray | None:
        """`[N]` the length of each row's answer, where rows of similar length are batched; else None."""
        return None

    def prepare(self, batch: Batch, name: str, score: Callable[[Batch], Tensor]) -> Batch:
        """A batch as it is learned from: with negatives drawn, words masked. `score` gives raw predictions of rows."""
        return batch

    def table_to_score(self, table: Table, rows: np.ndarray, seed: int) -> Table | None:
        """Some rows of a table with further rows that scoring needs; None where it needs none."""
        return None

    def sample(self, prediction: Any, truth: Any) -> Sample | None:
        """The answer to one row, `[1, …]`, and the right ones, for a log; None where metrics are enough."""
        return None

    def distance(self, logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature: float) -> Tensor:
        """How far raw predictions are from a teacher's, of each row or token that counts."""
        assert self.space is not None  # `agrees` has seen to it
        return self.space.distance(logits, teacher_logits, temperature)

    def agrees(self, other: "Task") -> str | None:
        """Why raw predictions of another task of this kind can't be learned from; None where they can."""
        if self.space is None:
            return f"of {self.kind} there is nothing to distil: it answers in vectors"
        return None if self.to_json() == other.to_json() else "other classes"

    def adopt(self, former: "Task") -> "Task":
        """The same task in the words of a former run, so that its weights and answers mean the same."""
        return self

    def because(self) -> str | None:
        """What was learned in fitting it, in words; for tasks that are never guessed."""
        return None

    def describe(self) -> str | None:
        """A line about what is learned; None where the target and the kind of task are enough."""
        return None

    def needs(self, name: str) -> str:
        """What is missing from a table without truth, in words."""
        return f"no column {name!r} (the target)"

    def constant(self, truth: np.ndarray, rows: int) -> np.ndarray | None:
        """The best predictions that are the same for every row: the classes' shares or the mean; None where none exist.

        Args:
            truth: encoded targets of training rows that are usable.
            rows: how many answers.
        """
        if self.space is None:
            return None
        points = self.in_space(truth)
        logits = torch.zeros(1, self.space.width, dtype=torch.float64)
        for problem in self.space.problems():
            _, y = problem.known(points)
            where = slice(problem.start, problem.start + problem.width)
            logits[0, where] = torch.from_numpy(problem.parameters(y))
        return self.predictions(logits.repeat(rows, 1))

    def figures(self, truth: Any, predictions: Any) -> list[Figure]:
        """What a report draws of all answers."""
        return []

    def card(self, prediction: Any, truth: Any, cell: Any) -> Card:
        """One answer beside the truth.

        Args:
            prediction, truth: of one row, `[1, …]`.
            cell: the truth as it stands in the table; None where it is in no column.
        """
        return Card(str(self.answers(prediction)[0]), str(cell))
