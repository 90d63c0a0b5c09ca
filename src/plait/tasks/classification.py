"""One class a row."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from plait.errors import DataError, RecipeError, unknown
from plait.layers.spaces import Categorical, Temperature
from plait.metrics import METRICS, score
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.figures import confusion_of, differing_classes, reliability_of
from plait.tasks.task import Card, Figure, Task
from plait.values import Known, Vocabulary, as_text, count_values, in_order, is_missing

Threshold = Annotated[float, Gt(0), Lt(1)]
MANY, MANY_OF = 10, 2  # fractions: so many distinct ones, in fewer than so many rows each, are no classes


class Classification(Task):
    """Two or more classes, of which a row has one.

    Args:
        classes: as the user's table has them (integers, booleans, texts), in the order of the logits.
        class_weights: weight of each class in the loss; None for one each.
        label_smoothing: share of the target that is spread over all classes.
        temperature: that the logits are divided by, so that probabilities mean what they say.
        threshold: of two classes, the probability from which on the second is the answer; None for the likelier one.

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
        threshold: Threshold | None = None,
    ) -> None:
        if len(classes) < 2:
            raise DataError(
                f"classification needs at least 2 classes, the target holds {len(classes)}: {list(classes)}"
            )
        self.classes = list(classes)
        self.class_weights = None if class_weights is None else list(class_weights)
        self.label_smoothing, self.temperature, self.threshold = label_smoothing, temperature, threshold
        if threshold is not None and len(self.classes) != 2:
            raise DataError(f"task.threshold is for two classes, the target holds {len(self.classes)}; leave it out")
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
        threshold: Threshold | str | None = None,
        costs: dict[str, Annotated[float, Ge(0)]] | None = None,
    ) -> "Classification":
        """See `fit`; `class_weights=balanced` weighs classes by the inverse of their frequency.

        A `threshold` that names a metric, or `costs` of answering a row of a class wrongly (1 where none is given), are
        met on validation rows after training; see `plait.runs.threshold`.
        """
        values = asked.values
        task = cls.fit(values, class_weights == "balanced", label_smoothing, top_classes, asked.table.untyped)
        numbers = [name for name in task.classes if isinstance(name, float) and not name.is_integer()]
        many = len(numbers) > MANY and len(numbers) * MANY_OF > len(values)
        if many and asked.column not in asked.table.categorical:
            raise DataError(
                f"classification of {len(numbers):,} distinct numbers such as {numbers[0]:g}: the target is "
                "continuous; use --task regression, or round it"
            )
        if threshold is None and costs is None:
            return task
        if threshold is not None and costs is not None:
            raise RecipeError(
                "task.threshold and task.costs both say when the second class is the answer; leave one out"
            )
        aims = [name for name in task.measures if METRICS[name].of_answers]
        if isinstance(threshold, str) and threshold not in aims:
            raise RecipeError(f"task.threshold: {unknown('metric', threshold, aims)}, or a number between 0 and 1")
        names = [as_text(name) for name in task.classes]
        for name in costs or ():
            if name not in names:
                raise RecipeError(f"task.costs: {unknown('class', name, names)}")
        return task.with_threshold(threshold if isinstance(threshold, float) else 0.5)

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            **({} if self.temperature == 1.0 else {"temperature": self.temperature}),
            **({} if self.threshold is None else {"threshold": self.threshold}),
        }

    def with_temperature(self, temperature: float) -> "Classification":
        """The same task at another temperature."""
        return Classification(self.classes, self.class_weights, self.label_smoothing, temperature, self.threshold)

    def with_threshold(self, threshold: float | None) -> "Classification":
        """The same task with another threshold.

        Raises:
            DataError: there are more than two classes.
        """
        return Classification(self.classes, self.class_weights, self.label_smoothing, self.temperature, threshold)

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
        answered = np.eye(len(self.classes))[self._codes_of(predictions)]
        return [confusion_of(truth, answered, self.classes), reliability_of(truth, predictions)]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """The class and its probability."""
        code = int(self._codes_of(prediction)[0])
        return Card(str(self.classes[code]), str(cell), bool(code == truth[0]), f"{prediction[0, code]:.2f}")

    def score(self, truth: np.ndarray, predictions: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
        """Metrics; those that count right answers, of the answers that are given."""
        scores = score(self.kind, truth, predictions, names)
        if self.threshold is None or not len(truth):
            return scores
        answered = np.eye(len(self.classes))[self._codes_of(predictions)]
        return scores | score(self.kind, truth, answered, [name for name in scores if METRICS[name].of_answers])

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
        """The answer to each row, as the user's table has it: the likeliest class, unless there is a threshold."""
        return [self.classes[code] for code in self._codes_of(probabilities)]

    def _codes_of(self, probabilities: np.ndarray) -> np.ndarray:
        if self.threshold is None:
            return probabilities.argmax(axis=1)
        return (probabilities[:, 1] >= self.threshold).astype(np.int64)

    def columns(self, name: str, probabilities: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the answer, its probability, and that of every class."""
        of_answer = np.take_along_axis(probabilities, self._codes_of(probabilities)[:, None], axis=1)[:, 0]
        out: dict[str, Any] = {name: self.answers(probabilities), f"{name}_probability": of_answer}
        return out | {f"{name}_p_{c}": probabilities[:, code] for code, c in enumerate(self.classes)}
