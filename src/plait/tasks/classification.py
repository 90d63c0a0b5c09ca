"""One class a row."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Lt
from torch import Tensor

from plait.errors import DataError
from plait.layers.spaces import Categorical, Temperature
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.figures import confusion_of, differing_classes, reliability_of
from plait.tasks.task import Card, Figure, Task
from plait.values import Known, Vocabulary, count_values, in_order, is_missing

MANY, MANY_OF = 10, 2  # fractions: so many distinct ones, in fewer than so many rows each, are no classes


class Classification(Task):
    """Two or more classes, of which a row has one.

    Args:
        classes: as the user's table has them (integers, booleans, texts), in the order of the logits.
        class_weights: weight of each class in the loss; None for one each.
        label_smoothing: share of the target that is spread over all classes.
        temperature: that the logits are divided by, so that probabilities mean what they say.

    Raises:
        DataError: there are fewer than two classes.

    >>> task = Classification(["no", "yes"])
    >>> task.encode(["yes", None, "maybe"]).tolist()
    [1, -1, -2]
    """

    kind = "classification"
    default_metric = "accuracy"
    estimator_type = "classifier"
    weighable = True
    MISSING, UNSEEN = -1, -2

    def __init__(
        self,
        classes: Sequence[Known],
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        temperature: Temperature = 1.0,
    ) -> None:
        if len(classes) < 2:
            raise DataError(
                f"classification needs at least 2 classes, the target holds {len(classes)}: {list(classes)}"
            )
        self.classes = list(classes)
        self.class_weights = None if class_weights is None else list(class_weights)
        self.label_smoothing, self.temperature = label_smoothing, temperature
        self._known = Vocabulary(self.classes)

    @classmethod
    def fit(
        cls,
        values: Iterable[Any],
        balanced: bool = False,
        label_smoothing: float = 0.0,
        most: int | None = None,
        untyped: bool = False,
    ) -> "Classification":
        """Learn the classes from training targets.

        Args:
            values: the targets.
            balanced: weigh each class by the inverse of its frequency.
            label_smoothing: share of the target that is spread over all classes.
            most: keep so many of the most frequent; rows of other classes are neither learned from nor scored.
            untyped: the values come from a file in which every cell is text, so that "1" is an integer.
        """
        counts = count_values(values, untyped)
        numbers = [name for name in counts if isinstance(name, float)]
        if len(numbers) > MANY and len(numbers) * MANY_OF > sum(counts.values()):
            raise DataError(
                f"classification of {len(numbers):,} distinct numbers such as {numbers[0]:g}: the target is "
                "continuous; use --task regression, or round it"
            )
        if most is not None:
            counts = dict(sorted(counts.items(), key=lambda item: -item[1])[:most])
        names = in_order(counts)
        weights = [sum(counts.values()) / (len(names) * counts[name]) for name in names] if balanced else None
        return cls(names, weights, label_smoothing)

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """Whatever no other task recognises: names, codes, booleans, a few distinct whole numbers."""
        if isinstance(sample.values[0], bool):
            return "it is true or false"
        if sample.are_codes:
            reason = f"{sample.distinct:,} distinct codes"
        elif sample.few_whole:
            reason = f"{sample.distinct} distinct whole numbers"
        elif sample.categorical and sample.numbers is not None:
            reason = f"its type is category, {sample.distinct:,} of them"
        else:
            reason = f"{sample.distinct:,} distinct texts"
        hint = sample.number_reading.hint
        return f"{reason} ({hint})" if hint else reason

    @classmethod
    def from_table(
        cls,
        asked: Asked,
        *,
        class_weights: Literal["none", "balanced"] = "none",
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        top_classes: Annotated[int, Ge(2)] | None = None,
    ) -> "Classification":
        """See `fit`; `class_weights=balanced` weighs classes by the inverse of their frequency."""
        balanced = class_weights == "balanced"
        return cls.fit(asked.values, balanced, label_smoothing, top_classes, asked.table.untyped)

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            **({} if self.temperature == 1.0 else {"temperature": self.temperature}),
        }

    def with_temperature(self, temperature: float) -> "Classification":
        """The same task at another temperature."""
        return Classification(self.classes, self.class_weights, self.label_smoothing, temperature)

    @property
    def out_dim(self) -> int:
        return len(self.classes)

    @property
    def space(self) -> Categorical:
        """One of the classes."""
        return Categorical(len(self.classes))

    def encode(self, values: Iterable[Any], lenient: bool = False) -> np.ndarray:
        """`[N]` int64 codes; -1 where the row has no target, -2 where training never saw its class."""
        codes = (self.MISSING if is_missing(value) else self._code(value) for value in values)
        return np.fromiter(codes, dtype=np.int64)

    def _code(self, value: Any) -> int:
        code = self._known.find(value)
        return self.UNSEEN if code == Vocabulary.UNKNOWN else code

    def unseen(self, truth: np.ndarray) -> np.ndarray:
        """`[N]` bool: the class was not in the training rows, or is not among the most frequent."""
        return truth == self.UNSEEN

    def strata(self, truth: np.ndarray) -> np.ndarray:
        """The codes."""
        return truth

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: no loss or metric can be computed."""
        return encoded < 0

    def agrees(self, other: Task) -> str | None:
        """What differs: the classes or their order; they are compared as texts, as which older runs saved integers."""
        return differing_classes(self, other)

    def figures(self, truth: np.ndarray, predictions: np.ndarray) -> list[Figure]:
        """The confusion matrix, and whether probabilities mean what they say."""
        return [confusion_of(truth, predictions, self.classes), reliability_of(truth, predictions)]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """The class and its probability."""
        right = bool(prediction.argmax() == truth[0])
        return Card(str(self.answers(prediction)[0]), str(cell), right, f"{prediction.max():.2f}")

    def loss(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean cross-entropy over the rows that have a target; logits `[B, C]`, target and weight `[B]`."""
        of_class = None if self.class_weights is None else torch.tensor(self.class_weights, device=logits.device)
        each = F.cross_entropy(
            logits,
            target.clamp(min=-1),
            of_class,
            ignore_index=-1,
            label_smoothing=self.label_smoothing,
            reduction="sum" if weight is None else "none",
        )
        total = each if weight is None else (each * weight).sum()
        real = (target >= 0).float() if of_class is None else of_class[target.clamp(min=0)] * (target >= 0)
        return total / real.sum().clamp(min=1e-6)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` cross-entropy of each row."""
        return F.cross_entropy(logits, target.clamp(min=-1), ignore_index=-1, reduction="none")

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N, C]` probabilities."""
        return (logits / self.temperature).softmax(dim=1).numpy()

    def answers(self, probabilities: np.ndarray) -> list[Known]:
        """The likeliest class of each row, as the user's table has it."""
        return [self.classes[code] for code in probabilities.argmax(axis=1)]

    def columns(self, name: str, probabilities: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the answer, its probability, and that of every class."""
        out: dict[str, Any] = {name: self.answers(probabilities), f"{name}_probability": probabilities.max(axis=1)}
        return out | {f"{name}_p_{c}": probabilities[:, code] for code, c in enumerate(self.classes)}
