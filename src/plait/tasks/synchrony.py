"""Whether two recordings are in step, such as a video and its sound, and by how many milliseconds they are not."""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.errors import DataError, DataWarning, RecipeError
from plait.modalities import MODALITIES
from plait.modalities import Sample as Values
from plait.tasks.asked import Asked
from plait.tasks.task import Card, Figure, Task
from plait.values import as_number, as_text, is_missing, shown

YES, NO = {"yes", "true", "in step", "synced"}, {"no", "false", "out of step", "unsynced"}


class Synchrony(Task):
    """Which of two inputs of one clock is late, and by how much; see `plait.alignment.LagFusion`.

    A cell holds the milliseconds that the second input is late (less than 0: early, 0: in step), or yes or no, where it
    is only known whether they are in step. Columns may mix both.

    Args:
        between: the input that is looked from, and the one that may be late.
        clock: seconds of a lag.
        most: seconds that are looked for at most; what is later or earlier is told from what is in step, but not by how
            much.
        tolerance: seconds that still are in step.

    Raises:
        RecipeError: the times don't fit.

    >>> task = Synchrony(("clip", "clip:audio"), clock=0.1, most=0.5, tolerance=0.05)
    >>> task.encode([120, "yes", "no", None]).tolist()
    [[0.12, 0.0], [nan, 1.0], [nan, 0.0], [nan, nan]]
    """

    kind = "synchrony"
    default_metric = "accuracy"
    alone, own_fusion, stratified = True, True, False
    measures = {"accuracy": True, "balanced_accuracy": True, "delay_mae": False, "delay_median_error": False}
    uncompared = "one input alone is neither in step nor out of it"
    lacking = "neither a delay nor yes or no"

    def __init__(
        self, between: Sequence[str], clock: float = 0.0625, most: float = 0.75, tolerance: float = 0.1
    ) -> None:
        if len(between) != 2:
            raise RecipeError(f"task.between: expected two inputs, got {', '.join(between) or 'none'}")
        if not 0 < clock <= most <= 1_000 * clock:
            raise RecipeError(f"task.most: expected from 1 to 1,000 times task.clock={clock:g}, got {most:g}")
        if not 0 <= tolerance < most:
            raise RecipeError(f"task.tolerance: expected from 0 to less than task.most={most:g}, got {tolerance:g}")
        self.between = (between[0], between[1])
        self.clock, self.most, self.tolerance = clock, most, tolerance
        self.lags = math.ceil(most / clock - 1e-6)
        self.delays = clock * np.arange(-self.lags, self.lags + 1)
        self._in_step = np.abs(self.delays) <= max(tolerance, clock / 2) + 1e-9

    @classmethod
    def recognise(cls, sample: Values) -> str | None:
        """Never: milliseconds are numbers, and yes or no are classes, unless somebody says more."""
        return None

    @classmethod
    def from_table(
        cls,
        asked: Asked,
        *,
        between: list[str] | None = None,
        clock: float = 0.0625,
        most: float = 0.75,
        tolerance: float = 0.1,
    ) -> "Synchrony":
        """Of the two inputs that have a time, or of those named.

        Raises:
            RecipeError: there are not two of them, or there are others.
        """
        timed = [name for name, kind in asked.modalities.items() if kind in MODALITIES and MODALITIES[kind].timed]
        chosen = list(between or sorted(timed, key=lambda name: MODALITIES[asked.modalities[name]].made_of is None))
        lacking = next((name for name in chosen if name not in timed), None)
        if lacking is not None:
            raise RecipeError(
                f"task.between: {lacking} is no input with a time; those are {', '.join(timed) or 'none'}"
            )
        if len(chosen) != 2:
            raise RecipeError(
                f"synchrony is between two inputs with a time, got {', '.join(chosen) or 'none'}; the sound of a video "
                "is one with inputs.NAME:audio.column=NAME, and task.between names two of several"
            )
        beside = [name for name in asked.modalities if name not in chosen]
        if beside:
            raise RecipeError(
                f"synchrony reads {chosen[0]} and {chosen[1]} alone; leave out the others with "
                + " ".join(f"--type {name}=ignore" for name in beside[:5])
            )
        return cls(chosen, clock, most, tolerance)

    def to_json(self) -> dict[str, Any]:
        return {
            "between": list(self.between),
            "clock": self.clock,
            "most": self.most,
            "tolerance": self.tolerance,
        }

    @property
    def out_dim(self) -> int:
        return 2 * self.lags + 2

    def describe(self) -> str:
        """What is learned."""
        return (
            f"learns how late {self.between[1]} is after {self.between[0]}: {2 * self.lags + 1} delays, up to "
            f"{1000 * self.delays[-1]:.0f} ms either way, or another"
        )

    def encode(self, values: Iterable[Any], lenient: bool = False) -> np.ndarray:
        """`[N, 2]` float64: seconds of delay, NaN where unknown, and 1 where they are in step, NaN where unknown.

        Raises:
            DataError: a cell is something else; the message names the row.
        """
        truth = []
        for row, value in enumerate(values, 1):
            try:
                truth.append(self._read(value))
            except DataError as error:
                if not lenient:
                    raise DataError(f"row {row}: {error}") from error
                truth.append((math.nan, math.nan))
        delays = np.abs([delay for delay, _ in truth if math.isfinite(delay)])
        if len(delays) > 10 and (delays[delays > 0] < 0.002).all() and (delays > 0).any():
            warnings.warn(
                f"delays are milliseconds, and none is over {1000 * delays.max():.2g}; seconds must be times 1,000",
                DataWarning,
                stacklevel=2,
            )
        return np.array(truth, np.float64).reshape(-1, 2)

    def _read(self, value: Any) -> tuple[float, float]:
        if is_missing(value):
            return math.nan, math.nan
        text = as_text(value).strip().casefold()
        if text in YES | NO:
            return math.nan, float(text in YES)
        try:
            delay = as_number("delay", value) / 1000
        except DataError as error:
            raise DataError(f"expected milliseconds, yes or no, got {shown(value, 40)}") from error
        return delay, float(abs(delay) <= self.tolerance)

    def unusable(self, truth: np.ndarray) -> np.ndarray:
        """`[N]` bool: nothing is known of the row."""
        return np.isnan(truth[:, 1])

    def shares(self, target: Tensor) -> Tensor:
        """`[B, 2 K + 2]` of known delays: the two lags that it lies between, each by how near it is, or none."""
        places = target[:, 0].nan_to_num() / self.clock + self.lags
        low = places.floor()
        shares = places.new_zeros(len(places), self.out_dim)
        for lag, share in ((low, 1 - (places - low)), (low + 1, places - low)):
            beyond = (lag < 0) | (lag > 2 * self.lags)
            lag = lag.masked_fill(beyond, self.out_dim - 1).long()
            shares.scatter_add_(1, lag.unsqueeze(1), share.unsqueeze(1))
        return shares

    def row_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """`[B]` cross-entropy of the delay, or where that is not known of being in step."""
        logs = logits.log_softmax(dim=1)
        of_delay = -(self.shares(target).to(logs.dtype) * logs).sum(dim=1)
        inside = torch.from_numpy(np.append(self._in_step, False)).to(logits.device)
        yes, no = (logs.masked_fill(~where, float("-inf")).logsumexp(dim=1) for where in (inside, ~inside))
        of_step = -torch.where(target[:, 1] == 1, yes, no)
        each = torch.where(target[:, 0].isnan(), of_step, of_delay)
        return each.masked_fill(target[:, 1].isnan(), 0)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over rows of which something is known."""
        return self.row_loss(logits, target).sum() / (~target[:, 1].isnan()).sum().clamp(min=1)

    def predictions(self, logits: Tensor) -> np.ndarray:
        """`[N, 2 K + 2]` probability of each delay, and of none of them."""
        return logits.double().softmax(dim=1).numpy()

    def in_step(self, predictions: np.ndarray) -> np.ndarray:
        """`[N]` probability that they are in step."""
        return predictions[:, :-1][:, self._in_step].sum(axis=1)

    def delay(self, predictions: np.ndarray) -> np.ndarray:
        """`[N]` seconds: the most probable delay of those in step or of those that are not, whichever is the answer.

        Between ticks by how probable those beside it are; NaN where none of them is the most probable.
        """
        lags = predictions[:, :-1]
        step = self.in_step(predictions)[:, None] >= 0.5
        allowed = np.where(step == self._in_step, lags, -1.0)
        top = allowed.argmax(axis=1)
        near = np.abs(np.arange(lags.shape[1])[None] - top[:, None]) <= 1
        weights = np.where(near & (allowed >= 0), lags, 0)
        seconds = (weights * self.delays).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-12)
        none = ~step[:, 0] & (predictions[:, -1] > allowed.max(axis=1))
        found: np.ndarray = np.where(none, np.nan, seconds)
        return found

    def answers(self, predictions: np.ndarray) -> list[str]:
        """In words."""
        return [_said(p, delay) for p, delay in zip(self.in_step(predictions), self.delay(predictions), strict=True)]

    def columns(self, name: str, predictions: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: yes or no, its probability, and milliseconds."""
        p = self.in_step(predictions)
        return {
            name: ["yes" if one >= 0.5 else "no" for one in p],
            f"{name}_probability": p,
            f"{name}_delay_ms": np.round(1000 * self.delay(predictions), 1),
        }

    def score(self, truth: np.ndarray, predictions: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
        """Shares of right yes and no, and milliseconds of error where the delay is known.

        A delay that is answered with none counts as one of `most` in the errors, on the other side of the truth.
        """
        if not len(truth):
            return {}
        right = (self.in_step(predictions) >= 0.5) == (truth[:, 1] == 1)
        sides = [right[truth[:, 1] == side].mean() for side in (0, 1) if (truth[:, 1] == side).any()]
        scores = {"accuracy": float(right.mean()), "balanced_accuracy": float(np.mean(sides))}
        known = np.isfinite(truth[:, 0])
        if known.any():
            true, given = truth[known, 0], self.delay(predictions)[known]
            given = np.where(np.isnan(given), np.where(true > 0, -self.most, self.most), given)
            errors = 1000 * np.abs(given - true)
            scores |= {"delay_mae": float(errors.mean()), "delay_median_error": float(np.median(errors))}
        return {name: value for name, value in scores.items() if names is None or name in names}

    def constant(self, truth: np.ndarray, rows: int) -> np.ndarray:
        """The shares of all delays, and of those that are in step where only that is known."""
        target = torch.from_numpy(truth)
        shares = self.shares(target).numpy()
        only = np.isnan(truth[:, 0])
        yes = np.append(self._in_step / self._in_step.sum(), 0.0)
        no = np.zeros(self.out_dim)
        no[-1] = 1.0
        shares[only] = np.where(truth[only, 1:] == 1, yes, no)
        return np.repeat(shares.mean(axis=0, keepdims=True), rows, axis=0)

    def agrees(self, other: Task) -> str | None:
        """What differs: the delays; None where they are the same."""
        assert isinstance(other, Synchrony)
        return None if (self.clock, self.lags) == (other.clock, other.lags) else "other delays"

    def distance(self, logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature: float) -> Tensor:
        """Kullback-Leibler divergence from a teacher's probabilities."""
        own, theirs = (x.div(temperature).log_softmax(dim=1) for x in (logits, teacher_logits))
        return temperature**2 * (theirs.exp() * (theirs - own)).sum(dim=1)

    def figures(self, truth: np.ndarray, predictions: np.ndarray) -> list[Figure]:
        """True delays against those found, in milliseconds."""
        known = np.isfinite(truth[:, 0]) & np.isfinite(self.delay(predictions))
        if not known.any():
            return []
        return [Figure("scatter", (1000 * truth[known, 0], 1000 * self.delay(predictions)[known]))]

    def card(self, prediction: np.ndarray, truth: np.ndarray, cell: Any) -> Card:
        """The answer in words, and whether yes or no is right, and the delay where it is known."""
        p = float(self.in_step(prediction)[0])
        delay, step = truth[0]
        true = _said(step, delay) if math.isfinite(delay) else ("in step" if step == 1 else "out of step")
        given = float(self.delay(prediction)[0])
        right = (p >= 0.5) == (step == 1)
        if right and step == 0 and math.isfinite(delay):
            right = (
                abs(delay) > self.most if math.isnan(given) else abs(given - delay) <= max(self.tolerance, self.clock)
            )
        return Card(self.answers(prediction)[0], true, right, f"{max(p, 1 - p):.0%}")


def _said(p: float, delay: float) -> str:
    if p >= 0.5:
        return "in step"
    if math.isnan(delay):
        return "out of step"
    return f"{abs(1000 * delay):.0f} ms {'late' if delay > 0 else 'early'}"
