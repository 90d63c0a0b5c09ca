"""One class a row."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plait.errors import DataError
from plait.processors.tabular import is_missing


class Classification:
    """Two or more classes, of which a row has one.

    Args:
        classes: names, in the order of the logits.
        class_weights: weight of each class in the loss; None for one each.
        label_smoothing: share of the target that is spread over all classes.

    Raises:
        DataError: there are fewer than two classes.

    >>> task = Classification(["no", "yes"])
    >>> task.encode(["yes", None, "maybe"]).tolist()
    [1, -1, -2]
    """

    kind = "classification"
    default_metric = "accuracy"
    MISSING, UNSEEN = -1, -2

    def __init__(
        self, classes: Sequence[str], class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0
    ) -> None:
        if len(classes) < 2:
            raise DataError(
                f"classification needs at least 2 classes, the target holds {len(classes)}: {list(classes)}"
            )
        self.classes = list(classes)
        self.class_weights = None if class_weights is None else list(class_weights)
        self.label_smoothing = label_smoothing
        self._codes = {name: code for code, name in enumerate(self.classes)}

    @classmethod
    def fit(
        cls, values: Iterable[Any], balanced: bool = False, label_smoothing: float = 0.0, most: int | None = None
    ) -> "Classification":
        """Learn the classes from training targets.

        Args:
            values: the targets.
            balanced: weigh each class by the inverse of its frequency.
            label_smoothing: share of the target that is spread over all classes.
            most: keep so many of the most frequent; rows of other classes are neither learned from nor scored.
        """
        counts: dict[str, int] = {}
        for value in values:
            if not is_missing(value):
                counts[class_name(value)] = counts.get(class_name(value), 0) + 1
        if most is not None:
            counts = dict(sorted(counts.items(), key=lambda item: -item[1])[:most])
        names = sorted(counts, key=_natural)
        weights = [sum(counts.values()) / (len(names) * counts[name]) for name in names] if balanced else None
        return cls(names, weights, label_smoothing)

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
        }

    @property
    def out_dim(self) -> int:
        return len(self.classes)

    def encode(self, values: Iterable[Any]) -> np.ndarray:
        """`[N]` int64 codes; -1 where the row has no target, -2 where training never saw its class."""
        codes = (
            self.MISSING if is_missing(value) else self._codes.get(class_name(value), self.UNSEEN) for value in values
        )
        return np.fromiter(codes, dtype=np.int64)

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: no loss or metric can be computed."""
        return encoded < 0

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy over the rows that have a target; logits `[B, C]`, target `[B]`."""
        weight = None if self.class_weights is None else torch.tensor(self.class_weights, device=logits.device)
        total = F.cross_entropy(
            logits,
            target.clamp(min=-1),
            weight,
            ignore_index=-1,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        real = (target >= 0).float() if weight is None else weight[target.clamp(min=0)] * (target >= 0)
        return total / real.sum().clamp(min=1e-6)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` cross-entropy of each row."""
        return F.cross_entropy(logits, target.clamp(min=-1), ignore_index=-1, reduction="none")

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N, C]` probabilities."""
        return logits.softmax(dim=1).numpy()

    def answers(self, probabilities: np.ndarray) -> list[str]:
        """The likeliest class of each row."""
        return [self.classes[code] for code in probabilities.argmax(axis=1)]

    def columns(self, name: str, probabilities: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the answer, its probability, and that of every class."""
        out: dict[str, Any] = {name: self.answers(probabilities), f"{name}_probability": probabilities.max(axis=1)}
        return out | {f"{name}_p_{c}": probabilities[:, code] for code, c in enumerate(self.classes)}


def class_name(value: Any) -> str:
    """A class as text; 1 and 1.0 are one class.

    >>> class_name(1.0), class_name(True), class_name(" cat ")
    ('1', 'True', 'cat')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _natural(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
