"""A number a row."""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from plait.errors import DataError
from plait.processors.tabular import as_number

Array = TypeVar("Array", np.ndarray, Tensor)


class Regression:
    """A number, learned on a standard scale and answered on the user's.

    Args:
        mean, std: of the training targets.
        name: what messages call the target.

    >>> task = Regression(mean=10.0, std=2.0)
    >>> task.encode([12, None]).tolist()
    [12.0, nan]
    """

    kind = "regression"
    default_metric = "rmse"
    out_dim = 1

    def __init__(self, mean: float = 0.0, std: float = 1.0, name: str = "target") -> None:
        self.mean, self.std, self.name = mean, std, name

    @classmethod
    def fit(cls, values: Iterable[Any], name: str = "target") -> "Regression":
        """Learn the scale from training targets.

        Raises:
            DataError: a target is no number, or all are the same.
        """
        numbers = np.array([as_number(name, value) for value in values], dtype=np.float64)
        known = numbers[np.isfinite(numbers)]
        if not len(known) or known.std() == 0:
            came = "no number" if not len(known) else f"only {known[0]:g}"
            raise DataError(f"column {name!r}: regression needs targets that vary, got {came}")
        return cls(float(known.mean()), float(known.std()), name)

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std, "name": self.name}

    def encode(self, values: Iterable[Any]) -> np.ndarray:
        """`[N]` float64 in the user's units, NaN where the row has no target.

        In float32 a target of 1,000,000 and a bit would be known to a sixteenth only.
        """
        return np.fromiter((as_number(self.name, value) for value in values), dtype=np.float64)

    def scaled(self, target: Array) -> Array:
        """Encoded targets on the standard scale, on which the model answers; arrays or tensors."""
        return (target - self.mean) / self.std

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: the row has no target."""
        return np.isnan(encoded)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean squared error on the standard scale over the rows that have a target; `[B, 1]` and `[B]`."""
        return self.row_loss(logits, target).sum() / target.isfinite().sum().clamp(min=1)

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` squared error of each row on the standard scale."""
        known = target.isfinite()
        scaled = self.scaled(target).nan_to_num().to(logits.dtype)
        return F.mse_loss(logits[:, 0], scaled, reduction="none").masked_fill(~known, 0)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N]` numbers in the user's units."""
        return (logits[:, 0].double() * self.std + self.mean).numpy()

    def answers(self, numbers: np.ndarray) -> list[float]:
        """The numbers."""
        return numbers.tolist()

    def columns(self, name: str, numbers: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the number."""
        return {name: numbers}
