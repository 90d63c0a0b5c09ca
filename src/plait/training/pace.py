"""How long training goes on, when it is validated and at which rate: as planned, or until it no longer improves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from plait.errors import RecipeError
from plait.training.checkpoint import Progress
from plait.training.optimizer import rate_factor
from plait.training.settings import TrainSettings

EPOCHS = 10  # of a large table: the most that an open-ended run goes on for, and a planned one's where none are named
STEPS = 3_000  # of a small table: likewise
UNVALIDATED = 500  # steps, at least, of a run that has no rows to be validated on
EVALUATE = 25  # steps between two evaluations, at least
PATIENCE = 125  # steps without progress
FEWEST = 5  # evaluations without progress, at least
SMOOTH = 125  # steps that an evaluation is averaged over, so that a lucky one is not taken for progress
COOL = 0.25  # of the steps before: how long the rate falls to zero once nothing improves
LEARNED = 0.01  # of the validation loss: a fall by less is not progress
WARM_UP = 1_000  # steps whose share `warmup_ratio` is, where the length of a run is not known


@dataclass(frozen=True)
class Metric:
    """The number that picks the best epoch."""

    name: str
    higher_is_better: bool

    def better(self, value: float, than: float | None) -> bool:
        return than is None or (value > than if self.higher_is_better else value < than)


LOSS = Metric("loss", False)


def expected_epochs(settings: TrainSettings, steps: int = STEPS) -> int:
    """How many epochs a run has: as planned, or about half of what an open-ended one may take."""
    return settings.epochs if isinstance(settings.epochs, int) else max(EPOCHS, STEPS // (2 * steps))


def as_long_as(other: Progress, settings: TrainSettings) -> TrainSettings:
    """The settings of a run without validation that goes on for as many epochs as another one did, at its rates."""
    schedule = settings.schedule or ("cosine" if isinstance(settings.epochs, int) else "wsd")
    return replace(settings, epochs=max(1, other.epoch), schedule=schedule, patience=0, time_limit=None)


class Pace(Protocol):
    """What the loop asks at each step and after each epoch."""

    @property
    def most(self) -> int:
        """Epochs at most."""
        ...

    @property
    def share(self) -> float:
        """Of a limited time, after which `judge` hears that it is late."""
        ...

    def rate(self, step: int, progress: Progress) -> float:
        """The share of the highest learning rate at a step."""
        ...

    def due(self, epoch: int, progress: Progress) -> bool:
        """Whether the model is validated after an epoch."""
        ...

    def judge(self, record: dict[str, Any], metric: Metric, progress: Progress, late: bool = False) -> bool:
        """Whether an epoch's weights are the best so far; decides when to end (`progress.end`, `progress.converged`).

        Args:
            record: of the epoch; it is not in `progress.history` yet.
            metric: what counts.
            progress: changed in place.
            late: the time that was given is used up.
        """
        ...


def pace_of(settings: TrainSettings, steps: int, validated: bool) -> Pace:
    """The pace of a run.

    Args:
        settings: `epochs` decides which; None counts as `auto`.
        steps: of an epoch.
        validated: there are rows to validate on. Without them nothing says when to stop: the run is planned.

    Raises:
        RecipeError: a schedule that needs to know the number of epochs, without one.
    """
    if isinstance(settings.epochs, int):
        return Planned(settings, steps, settings.epochs)
    if settings.schedule not in (None, "wsd"):
        raise RecipeError(
            f"train.schedule={settings.schedule} needs to know how long the run is; set train.epochs too, or leave "
            "the schedule out"
        )
    if not validated:
        return Planned(settings, steps, max(EPOCHS, math.ceil(UNVALIDATED / steps)))
    most = max(EPOCHS, STEPS // steps) if settings.max_steps is None else max(1, settings.max_steps // steps)
    return OpenEnded(settings, steps, most)


@dataclass(frozen=True)
class Planned:
    """A number of epochs, with early stopping where `patience` says so.

    Args:
        settings: of the run.
        steps: of an epoch.
        most: epochs.
    """

    settings: TrainSettings
    steps: int
    most: int
    share: float = 1.0

    def rate(self, step: int, progress: Progress) -> float:
        schedule = self.settings.schedule or ("cosine" if isinstance(self.settings.epochs, int) else "wsd")
        return rate_factor(step, self.most * self.steps, schedule, self.settings.warmup_ratio)

    def due(self, epoch: int, progress: Progress) -> bool:
        return (epoch + 1) % (self.settings.evaluate_every or 1) == 0 or epoch + 1 == self.most

    def judge(self, record: dict[str, Any], metric: Metric, progress: Progress, late: bool = False) -> bool:
        epoch = record["epoch"] - 1
        best = "val" in record and _is_best(record, metric, progress)
        if self.settings.patience and epoch - progress.best_epoch >= self.settings.patience:
            progress.end = epoch + 1
        if late:
            progress.end = epoch + 1
        if epoch + 1 == (progress.end or self.most):
            validated = [one["val"] for one in [*progress.history, record] if one.get("val")]
            progress.converged = _levelled(validated, metric)
        return best


@dataclass(frozen=True)
class OpenEnded:
    """Until validation no longer improves; then the learning rate falls to zero over a quarter of the steps done.

    Warm-up, a constant rate, and a short fall at the end (2404.06395, 2405.18392): unlike a cosine, it needs no length
    in advance. What counts is the mean of the last evaluations, because a maximum of single ones is luck where
    validation rows are few; progress is a better score, or a validation loss that is lower by a hundredth. The weights
    after the fall are kept unless the score was better before.

    Args:
        settings: of the run.
        steps: of an epoch.
        most: epochs at most, the fall included.
    """

    settings: TrainSettings
    steps: int
    most: int
    share: float = 1 / (1 + COOL)

    @property
    def every(self) -> int:
        """Epochs between two evaluations."""
        return self.settings.evaluate_every or math.ceil(EVALUATE / self.steps)

    @property
    def patience(self) -> int:
        """Evaluations without progress."""
        return self.settings.patience or max(FEWEST, math.ceil(PATIENCE / (self.every * self.steps)))

    @property
    def smooth(self) -> int:
        """Evaluations that are averaged."""
        return max(1, round(SMOOTH / (self.every * self.steps)))

    def rate(self, step: int, progress: Progress) -> float:
        warmup = min(round(self.settings.warmup_ratio * WARM_UP), self.most * self.steps // 2)
        if step < warmup:
            return (step + 1) / warmup
        if progress.cooling is None or progress.end is None:
            return 1.0
        begun = progress.cooling * self.steps
        return max(0.0, 1 - (step - begun) / max(1, progress.end * self.steps - begun))

    def due(self, epoch: int, progress: Progress) -> bool:
        return (epoch + 1) % self.every == 0 or epoch + 1 in (progress.end, self._last_constant)

    @property
    def _last_constant(self) -> int:
        """Epochs at most before the rate falls."""
        return max(1, self.most - math.ceil(self.most * COOL / (1 + COOL)))

    def judge(self, record: dict[str, Any], metric: Metric, progress: Progress, late: bool = False) -> bool:
        done = record["epoch"]
        if progress.cooling is not None:
            return done == progress.end and self._final(record, metric, progress)
        best = "val" in record and self._improved(record, metric, progress)
        settled = "val" in record and progress.stale >= self.patience
        if settled or late or done >= self._last_constant:
            progress.cooling, progress.converged = done, settled
            progress.end = max(done + math.ceil(done * COOL), done) if done < self.most else done
        return best

    def _improved(self, record: dict[str, Any], metric: Metric, progress: Progress) -> bool:
        """Whether the mean of the last evaluations is the best; counts how many brought no progress."""
        before = [one["val"] for one in progress.history if one.get("val")]
        recent = [_values(val, metric) for val in [*before, record["val"]][-self.smooth :]]
        score, loss = (float(np.mean(column)) for column in zip(*recent, strict=True))
        learned = progress.lowest is None or loss < progress.lowest - LEARNED * abs(progress.lowest)
        if learned:  # not at each small fall: many of them are progress, too
            progress.lowest = loss
        higher = progress.level is None or score > progress.level
        best = higher or (score == progress.level and loss < progress.best_loss)  # equal answers, surer ones
        progress.stale = 0 if learned or higher else progress.stale + 1
        if best:
            progress.level = score
            self._keep(record, metric, progress, loss)
        return best

    def _final(self, record: dict[str, Any], metric: Metric, progress: Progress) -> bool:
        """Whether the weights after the fall are kept."""
        score, loss = _values(record["val"], metric)
        if progress.level is not None and score < progress.level:
            return False
        self._keep(record, metric, progress, loss)
        return True

    @staticmethod
    def _keep(record: dict[str, Any], metric: Metric, progress: Progress, loss: float) -> None:
        progress.best, progress.best_loss = record["val"].get(metric.name), loss
        progress.best_epoch = record["epoch"] - 1


def _values(val: dict[str, float], metric: Metric) -> tuple[float, float]:
    """The score, of which more is better, and the loss; where the metric is not defined the loss is the score."""
    loss = val.get("loss", 0.0)
    value = val.get(metric.name)
    if value is None:
        return -loss, loss
    return (value if metric.higher_is_better else -value), loss


def _is_best(record: dict[str, Any], metric: Metric, progress: Progress) -> bool:
    """Whether an evaluation is the best so far; of equal scores the one with the lower loss."""
    value, loss = record["val"].get(metric.name), record["val"].get("loss", 0.0)
    if value is None:  # not defined on these rows: the loss says which is best, and without one the latest is
        better = "loss" not in record["val"] or progress.best_epoch < 0 or loss < progress.best_loss
        if progress.best is None and better:
            progress.best_loss, progress.best_epoch = loss, record["epoch"] - 1
            return True
        return False
    tied = value == progress.best and loss < progress.best_loss  # equal answers, surer ones
    if tied or metric.better(value, progress.best):
        progress.best_loss = loss
        progress.best, progress.best_epoch = value, record["epoch"] - 1
        return True
    return False


def _levelled(validated: Sequence[dict[str, float]], metric: Metric) -> bool | None:
    """Whether a planned run had levelled off: in its second half the validation loss fell by less than a fiftieth.

    Half of it, because a rate that falls to zero levels off any curve near the end. None without evaluations; False
    where they are too few to show it.
    """
    if not validated:
        return None
    losses = [_values(val, metric)[1] if "loss" in val else -_values(val, metric)[0] for val in validated]
    half = len(losses) // 2
    return half > 1 and min(losses[half:]) > min(losses[:half]) - 2 * LEARNED * abs(min(losses[:half]))


def fallback(progress: Progress, metric: Metric) -> str:
    """A note where the metric could not be computed at any evaluation; empty otherwise."""
    validated = [record["val"] for record in progress.history if record.get("val")]
    if not validated or any(metric.name in values for values in validated):
        return ""
    return f"{metric.name} is not defined on the validation rows; the validation loss picked the best epoch"
