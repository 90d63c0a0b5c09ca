"""Any number of labels a row."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plait.errors import DataError
from plait.layers.spaces import Binary, Temperature
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.figures import differing_classes, label_f1
from plait.tasks.task import Card, Figure, Task
from plait.values import as_text, is_missing


class Multilabel(Task):
    """Labels of which a row has none, one or several.

    A cell holds a list of texts, or one text with `;`, `|` or `,` between the labels. An empty cell means that the
    row's labels are not known; an empty list, `[]`, means that it has none.

    Args:
        classes: names, in the order of the logits.
        class_weights: weight of each label's positives in the loss; None for one each.

    Raises:
        DataError: there is no label.

    >>> task = Multilabel(["big", "red"])
    >>> task.encode(["red;big", [], None]).tolist()
    [[1.0, 1.0], [0.0, 0.0], [nan, nan]]
    """

    kind = "multilabel"
    default_metric = "f1_macro"
    stratified, weighable = False, True

    def __init__(
        self,
        classes: Sequence[str],
        class_weights: Sequence[float] | None = None,
        temperature: Temperature = 1.0,
    ) -> None:
        if not classes:
            raise DataError("multilabel needs at least one label, the target holds none")
        self.classes = list(classes)
        self.class_weights = None if class_weights is None else list(class_weights)
        self.temperature = temperature
        self._codes = {name: code for code, name in enumerate(self.classes)}

    @classmethod
    def fit(cls, values: Iterable[Any], balanced: bool = False) -> "Multilabel":
        """Learn the labels from training targets; `balanced` weighs a label's positives by negatives per positive,
        up to 100.
        """
        counts: dict[str, int] = {}
        rows = 0
        for value in values:
            labels = split_labels(value)
            rows += labels is not None
            for label in labels or ():
                counts[label] = counts.get(label, 0) + 1
        names = sorted(counts)
        weights = [min(100.0, max(0.01, (rows - counts[n]) / counts[n])) for n in names] if balanced else None
        return cls(names, weights)

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """Lists, or texts of which more than one in ten has a mark between labels."""
        if isinstance(sample.values[0], list):
            return "its cells are lists"
        if sample.are_codes or sample.numbers is not None:
            return None
        marked = sum(";" in str(value) or "|" in str(value) for value in sample.values)
        return "its cells hold labels with ; or | between them" if marked > 0.1 * len(sample.values) else None

    @classmethod
    def from_table(cls, asked: Asked, *, class_weights: Literal["none", "balanced"] = "none") -> "Multilabel":
        """See `fit`."""
        return cls.fit(asked.values, class_weights == "balanced")

    def to_json(self) -> dict[str, Any]:
        warm = {} if self.temperature == 1.0 else {"temperature": self.temperature}
        return {"classes": self.classes, "class_weights": self.class_weights, **warm}

    def with_temperature(self, temperature: float) -> "Multilabel":
        """The same task at another temperature of its probabilities."""
        return Multilabel(self.classes, self.class_weights, temperature)

    @property
    def out_dim(self) -> int:
        return len(self.classes)

    @property
    def space(self) -> Binary:
        """Each label, yes or no."""
        return Binary(len(self.classes))

    def encode(self, values: Iterable[Any], lenient: bool = False) -> np.ndarray:
        """`[N, L]` float32, 0 or 1; NaN in rows without a target. Labels that training never saw are left out."""
        rows = []
        for value in values:
            labels = split_labels(value)
            row = np.full(len(self.classes), 0.0 if labels is not None else np.nan, dtype=np.float32)
            row[[self._codes[label] for label in labels or () if label in self._codes]] = 1
            rows.append(row)
        return np.stack(rows) if rows else np.zeros((0, len(self.classes)), dtype=np.float32)

    def agrees(self, other: Task) -> str | None:
        """What differs: the labels or their order."""
        return differing_classes(self, other)

    def figures(self, truth: np.ndarray, predictions: np.ndarray) -> list[Figure]:
        """F1 of the most frequent labels."""
        return [Figure("bars", (label_f1(truth, predictions, self.classes), "F1 of each label"))]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """The labels; right where all of them are."""
        right = bool(((prediction >= 0.5) == (truth > 0.5)).all())
        return Card(str(self.answers(prediction)[0]), str(cell), right)

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: the row has no target."""
        return np.isnan(encoded).any(axis=1)

    def loss(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean binary cross-entropy over the rows that have a target; both `[B, L]`, weight `[B]`."""
        has_target = target.isfinite()
        each = self._cross_entropy(logits, target)
        return (each if weight is None else each * weight[:, None]).sum() / has_target.sum().clamp(min=1)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` mean binary cross-entropy of each row."""
        return self._cross_entropy(logits, target).mean(dim=1)

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        weight = None if self.class_weights is None else torch.tensor(self.class_weights, device=logits.device)
        has_target = target.isfinite()
        each = F.binary_cross_entropy_with_logits(logits, target.nan_to_num(), pos_weight=weight, reduction="none")
        return each.masked_fill(~has_target, 0)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N, L]` probabilities."""
        return (logits / self.temperature).sigmoid().numpy()

    def answers(self, probabilities: np.ndarray) -> list[str]:
        """The labels above one half, `a;b`."""
        return [";".join(c for c, p in zip(self.classes, row, strict=True) if p >= 0.5) for row in probabilities]

    def columns(self, name: str, probabilities: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the labels, and the probability of every label."""
        out: dict[str, Any] = {name: self.answers(probabilities)}
        return out | {f"{name}_p_{c}": probabilities[:, code] for code, c in enumerate(self.classes)}


def split_labels(value: Any) -> list[str] | None:
    """The labels of a cell; None where it is empty.

    >>> split_labels("red; big"), split_labels("[]"), split_labels(float("nan"))
    (['red', 'big'], [], None)
    """
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [as_text(item).strip() for item in value if not is_missing(item)]
    if is_missing(value):
        return None
    text = as_text(value).strip()
    text = text.removeprefix("[").removesuffix("]")
    separator = next((mark for mark in ";|," if mark in text), ";")
    return [part.strip().strip("'\"") for part in text.split(separator) if part.strip()]
