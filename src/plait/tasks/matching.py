"""Whether the two sides of a row belong together."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from plait.data.negatives import with_negatives
from plait.data.table import Table
from plait.errors import DataError, RecipeError, unknown
from plait.layers.spaces import Binary
from plait.metrics import score
from plait.tasks.asked import Asked
from plait.tasks.figures import confusion_of
from plait.tasks.pairs import Sides, needs_two, side_codes
from plait.tasks.task import Card, Figure, Task
from plait.types import Batch
from plait.values import as_text, is_missing, shown

YES = ("1", "+1", "1.0", "true", "yes", "match")
NO = ("0", "-1", "0.0", "-1.0", "false", "no", "no match")  # -1 is what margin losses call it
Negatives = Literal["none", "random", "hard"]


class Matching(Task):
    """Whether a row's anchor belongs to the rest of the row.

    With a label column, the table says which rows match. Without one every row is a match, and non-matches are drawn:
    in training from the batch, at random or hard (the one of several random ones that the current model finds most
    likely to match); for scoring one per row, the same ones each time, so that half of the rows are matches.

    Args:
        sides: input → the columns that it reads.
        anchor: the side that is replaced when a non-match is drawn; None for the first.
        label: column of the labels; None where every row is a match.
        negatives: `none` with labels, `random` or `hard` without.

    Raises:
        RecipeError: there is one side only, the anchor is unknown, or labels and drawn negatives are both asked for.

    >>> task = Matching({"photo": ["photo"], "title": ["title"]}, label="fits")
    >>> task.encode_labels(["yes", 0, None]).tolist(), task.encode_labels([-1, 1.0, True]).tolist()
    ([1, 0, -1], [0, 1, 1])
    """

    kind = "matching"
    default_metric = "accuracy"
    alone, pairs, usual_name = True, True, "match"
    uncompared = "compare asks what each modality gives to predict a column; matching needs both sides"
    lacking = "no pair: the row lacks a side"
    out_dim = 1
    space = Binary(1)
    classes = ("no", "yes")

    def __init__(
        self, sides: Sides, anchor: str | None = None, label: str | None = None, negatives: Negatives = "none"
    ) -> None:
        self.sides = {name: list(columns) for name, columns in sides.items()}
        if len(self.sides) < 2:
            raise RecipeError(f"matching needs two inputs or more, got {', '.join(self.sides) or 'none'}")
        self.anchor = anchor or next(iter(self.sides))
        if self.anchor not in self.sides:
            raise RecipeError(f"task.anchor: {unknown('input', self.anchor, self.sides)}")
        if (label is None) == (negatives == "none"):
            raise RecipeError(
                f"task.negatives is {negatives}: with a label column it is none (the table says what does not match), "
                "without one random or hard"
            )
        self.label = label
        self.negatives: Negatives = negatives

    @classmethod
    def from_table(
        cls, asked: Asked, *, anchor: str | None = None, negatives: Literal["random", "hard"] = "random"
    ) -> "Matching":
        """The task of a table's inputs; with a target its cells are the labels."""
        return cls(asked.sides, asked.anchor(anchor), asked.target, negatives if asked.target is None else "none")

    def to_json(self) -> dict[str, Any]:
        return {"sides": self.sides, "anchor": self.anchor, "label": self.label, "negatives": self.negatives}

    @property
    def drawn(self) -> bool:
        """Whether non-matches are drawn."""
        return self.label is None

    @property
    def column(self) -> str:
        """The column of labels: the named one, or `match` in tables that non-matches were drawn into."""
        return self.label or "match"

    def read(self, table: Table, name: str = "match", lenient: bool = False) -> np.ndarray | None:
        """`[N, 3]` int64: the label (1, 0, or -1 for none), and codes of the anchor's value and of the rest."""
        if self.column in table:
            labels = self.encode_labels(table.iterate(self.column), lenient)
        elif self.drawn:
            labels = np.ones(len(table), dtype=np.int64)
        else:
            return None
        codes = side_codes(table, {"anchor": self.sides[self.anchor], "rest": self.rest})
        if self.drawn:
            labels = np.where((codes >= 0).all(axis=1), labels, -1)
        return np.column_stack([labels, codes])

    @property
    def rest(self) -> list[str]:
        """Columns of all sides but the anchor."""
        return [column for name, columns in self.sides.items() if name != self.anchor for column in columns]

    def encode_labels(self, values: Iterable[Any], lenient: bool = False) -> np.ndarray:
        """`[N]` int64: 1, 0, or -1 for none; if `lenient`, a label that is neither yes nor no counts as none.

        Raises:
            DataError: a label is neither yes nor no.
        """
        return np.fromiter((self._label(row, value, lenient) for row, value in enumerate(values, 1)), dtype=np.int64)

    def _label(self, row: int, value: Any, lenient: bool) -> int:
        if is_missing(value):
            return -1
        text = as_text(value).strip().lower()
        if text not in (*YES, *NO):
            if lenient:
                return -1
            message = f"expected 1 or 0 (or -1, or yes and no), got {shown(value, 40)}"
            raise DataError(f"row {row}: column {self.column!r}: {message}")
        return int(text in YES)

    def in_space(self, encoded: np.ndarray) -> np.ndarray:
        """`[N, 1]` labels, -1 where there is none."""
        return encoded[:, :1]

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: no label."""
        return encoded[:, 0] < 0

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean binary cross-entropy over the rows that have a label; `[B, 1]` and `[B, 3]`."""
        return self.row_loss(logits, target).sum() / (target[:, 0] >= 0).sum().clamp(min=1)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` binary cross-entropy of each row."""
        label = target[:, 0]
        each = F.binary_cross_entropy_with_logits(logits[:, 0], label.clamp(min=0).float(), reduction="none")
        return each.masked_fill(label < 0, 0)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N, 2]` probabilities of no and yes."""
        yes = logits[:, 0].sigmoid().numpy()
        return np.column_stack([1 - yes, yes])

    @property
    def measures(self) -> dict[str, bool]:
        """Metric → higher is better."""
        return {"accuracy": True, "average_precision": True, "roc_auc": True, "log_loss": False}

    def prepare(self, batch: Batch, name: str, score: Callable[[Batch], Tensor]) -> Batch:
        """The batch with one non-match drawn for each row, at random or hard, where the table has no labels."""
        if not self.drawn:
            return batch
        return with_negatives(batch, name, self.anchor, score if self.negatives == "hard" else None)

    def table_to_score(self, table: Table, rows: np.ndarray, seed: int) -> Table | None:
        """The rows with non-matches, the same each time; None where the table has labels already."""
        return draw_matches(table.take(rows), self, seed) if self.drawn and self.column not in table else None

    def agrees(self, other: Task) -> str | None:
        """Nothing ever differs: yes means the same in every run."""
        return None

    def describe(self) -> str:
        """The anchor, the others, and where non-matches come from."""
        others = ", ".join(name for name in self.sides if name != self.anchor)
        drawn = f"non-matches drawn ({self.negatives})" if self.drawn else f"labels from {self.label}"
        return f"matching: {self.anchor} with {others}, {drawn}"

    def needs(self, name: str) -> str:
        """Two sides."""
        return needs_two(self.sides)

    def constant(self, truth: np.ndarray, rows: int) -> np.ndarray:
        """How often the label is yes; where non-matches are drawn for scoring, half of the time."""
        yes = 0.5 if self.drawn else float(truth[:, 0].mean())
        return np.tile([1 - yes, yes], (rows, 1))

    def figures(self, truth: np.ndarray, predictions: np.ndarray) -> list[Figure]:
        """The confusion matrix."""
        return [confusion_of(truth[:, 0], predictions, self.classes)]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """Yes or no, and the probability of yes."""
        answer, label = bool(prediction[0, 1] >= 0.5), bool(truth[0, 0])
        words = ("no", "yes")
        return Card(words[answer], words[label], answer == label, f"{prediction[0, 1]:.2f}")

    def score(self, truth: np.ndarray, predictions: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
        """Accuracy, average precision and ROC-AUC of yes."""
        chosen = [name for name in self.measures if names is None or name in names]
        return score("classification", truth[:, 0], predictions, chosen)

    def answers(self, predictions: np.ndarray) -> list[str]:
        """`yes` or `no`."""
        return ["yes" if yes >= 0.5 else "no" for yes in predictions[:, 1]]

    def columns(self, name: str, predictions: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the answer, and the probability of a match."""
        return {name: self.answers(predictions), f"{name}_probability": predictions[:, 1]}


def draw_matches(table: Table, task: Matching, seed: int = 0) -> Table:
    """A table with one non-match added for each row: the row with another's anchor. `match` is 1 or 0.

    A row gets none where no other anchor is sure to be a non-match (all are its own, or share its rest).
    """
    import pyarrow as pa

    encoded = task.read(table)
    assert encoded is not None
    partners = draw_others(encoded[:, 1:], np.random.default_rng(seed))
    rows = np.flatnonzero(partners >= 0)
    columns = {}
    for name in table.columns:
        if name != task.column:
            column = table.column(name)
            # Of a non-match the anchor's columns come from the partner, all others from the row itself.
            other = partners[rows] if name in task.sides[task.anchor] else rows
            columns[name] = pa.chunked_array([*column.chunks, column.take(other).combine_chunks()], column.type)
    labels = np.r_[np.ones(len(table), np.int64), np.zeros(len(rows), np.int64)]
    return table.with_data(pa.table({**columns, task.column: labels}))


def draw_others(codes: np.ndarray, random: np.random.Generator, tries: int = 20) -> np.ndarray:
    """`[N]` for each row another one whose anchor is no match (both sides differ); -1 where none was drawn.

    Args:
        codes: `[N, 2]` of anchor and rest; -1 where a row lacks one.
        random: random numbers.
        tries: how often to draw again for the rows that drew a match.
    """
    able = np.flatnonzero((codes >= 0).all(axis=1))
    partners = np.full(len(codes), -1, dtype=np.int64)
    left = able
    for _ in range(tries if len(able) > 1 else 0):
        drawn = random.choice(able, len(left))
        good = (codes[drawn] != codes[left]).all(axis=1)
        partners[left[good]] = drawn[good]
        left = left[~good]
    return partners
