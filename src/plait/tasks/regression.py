"""One number per row."""

import datetime
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from plait.console import number
from plait.errors import DataError
from plait.layers.spaces import Real
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.task import Card, Figure, Task
from plait.values import as_number, number_form

Array = TypeVar("Array", np.ndarray, Tensor)
Loss = Literal["mse", "mae", "huber"]
LOSSES: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}


class Regression(Task):
    """A number, learned on a standard scale and answered on the user's.

    Args:
        mean, std: of the training targets.
        name: what messages call the target.
        form: how the target's numbers are written, where that is not the plain way.
        loss: `mse` learns means, `mae` medians, which a few wild targets don't move, `huber` is between them; all on
            the standard scale.

    >>> task = Regression(mean=10.0, std=2.0)
    >>> task.encode([12, None]).tolist()
    [12.0, nan]
    """

    kind = "regression"
    default_metric = "rmse"
    estimator_type, usual_score = "regressor", "r2"
    weighable = True
    learns_scale, stratified = True, False
    out_dim = 1
    space = Real()

    def __init__(
        self,
        mean: float = 0.0,
        std: float = 1.0,
        name: str = "target",
        form: Mapping[str, str] | None = None,
        loss: Loss = "mse",
    ) -> None:
        self.mean, self.std, self.name = mean, std, name
        self.form = dict(form) if form else None
        self.of_loss = loss
        if loss == "mae":  # the best epoch is picked by what was learned
            self.default_metric = "mae"

    @classmethod
    def fit(
        cls,
        values: Iterable[Any],
        name: str = "target",
        form: Mapping[str, str] | None = None,
        lenient: bool = False,
        loss: Loss = "mse",
    ) -> "Regression":
        """Learn the scale from training targets; if `lenient`, cells that are not numbers are passed over.

        Raises:
            DataError: a target is not a number, or all are the same.
        """
        numbers = np.fromiter(cls(name=name, form=form)._read(values, lenient), dtype=np.float64)
        finite = numbers[np.isfinite(numbers)]
        if not len(finite) or finite.std() == 0:
            came = "no number" if not len(finite) else f"only {finite[0]:g}"
            raise DataError(f"column {name!r}: regression needs targets that vary, got {came}")
        return cls(float(finite.mean()), float(finite.std()), name, form, loss)

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """Numbers, except codes and a few distinct whole numbers; durations and times of day."""
        if isinstance(sample.values[0], datetime.timedelta | datetime.time):
            return "its cells are durations or times of day, taken as seconds"
        if sample.categorical or sample.numbers is None or sample.are_codes or isinstance(sample.values[0], bool):
            return None
        if sample.few_whole:
            return None
        form = sample.number_reading.form
        written = f" (written with {form.describe()})" if form is not None and form.describe() else ""
        return f"its cells are numbers, {sample.distinct:,} distinct{written}"

    @classmethod
    def from_table(cls, asked: Asked, *, loss: Loss = "mse") -> "Regression":
        """See `fit`."""
        return cls.fit(asked.values, asked.column, asked.form, asked.lenient, loss)

    def to_json(self) -> dict[str, Any]:
        state: dict[str, Any] = {"mean": self.mean, "std": self.std, "name": self.name}
        state |= {"loss": self.of_loss} if self.of_loss != "mse" else {}
        return state | ({"form": self.form} if self.form else {})

    def agrees(self, other: Task) -> str | None:
        """What differs: the scale; None where it is the same."""
        assert isinstance(other, Regression)
        return None if (self.mean, self.std) == (other.mean, other.std) else "numbers on another scale"

    def figures(self, truth: np.ndarray, predictions: np.ndarray) -> list[Figure]:
        """True against predicted, and the errors."""
        return [
            Figure("scatter", (truth, predictions)),
            Figure("histogram", (predictions - truth, "predicted - true")),
        ]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """The number, as people read it."""
        return Card(number(float(prediction[0])), str(cell), False)

    def encode(self, values: Iterable[Any], lenient: bool = False) -> np.ndarray:
        """`[N]` float64 in the user's units, NaN where the row has no target or, if `lenient`, none that is a number.

        Not float32, in which targets around 1,000,000 would be rounded to sixteenths.

        Raises:
            DataError: a cell holds something else; the message names the row.
        """
        return np.fromiter(self._read(values, lenient), dtype=np.float64)

    def _read(self, values: Iterable[Any], lenient: bool) -> Iterator[float]:
        form = number_form(self.form)
        for row, value in enumerate(values, 1):
            try:
                yield as_number(self.name, value, form)
            except DataError as error:
                if not lenient:
                    raise DataError(f"row {row}: {error}") from error
                yield math.nan

    def scaled(self, target: Array) -> Array:
        """Encoded targets on the standard scale, on which the model answers; arrays or tensors."""
        return (target - self.mean) / self.std

    def in_space(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` numbers on the standard scale."""
        return self.scaled(encoded)

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: the row has no target."""
        return np.isnan(encoded)

    def loss(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean of `row_loss` over the rows that have a target; `[B, 1]`, `[B]` and `[B]`."""
        each = self.row_loss(logits, target)
        return (each if weight is None else each * weight).sum() / target.isfinite().sum().clamp(min=1)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` error of each row on the standard scale, as the loss measures it."""
        has_target = target.isfinite()
        scaled = self.scaled(target).nan_to_num().to(logits.dtype)
        return LOSSES[self.of_loss](logits[:, 0], scaled, reduction="none").masked_fill(~has_target, 0)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N]` numbers in the user's units."""
        return (logits[:, 0].double() * self.std + self.mean).numpy()

    def answers(self, numbers: np.ndarray) -> list[float]:
        """The numbers."""
        return numbers.tolist()

    def columns(self, name: str, numbers: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the number."""
        return {name: numbers}
