"""Series: values on one scale, a mask of what is there, and true times."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from plait.errors import DataError, DataWarning, RecipeError
from plait.processors.series_cells import Series, read_series

STEPS = 10_000  # longer series are averaged down to so many
MOST_TICKS = 10_000_000  # of a clock
Steps = Annotated[int, Ge(8), Le(10_000_000)]
Clock = Annotated[float, Gt(0), Le(1e9)]
Bridge = Annotated[float, Ge(0), Le(1e12)]


class SeriesProcessor:
    """A series → scaled values, which of them are there, and seconds since its start; nothing is interpolated.

    Args:
        means, deviations: of each channel, over the numbers of training series.
        step: seconds from a step to the next, as a rule; 1 where series say nothing of time.
        steps: most of a series; a longer one is averaged over equal stretches, and a warning says so.
        names: of the channels, where files say them: a file's own order does not matter.
        clock: seconds between the steps of a regular clock that series are brought to; None leaves them as they are.
        bridge: with it, the longest gap in seconds that is bridged by a straight line; longer ones stay gaps.

    >>> processor = SeriesProcessor.fit([b"time,a\\n0,1\\n1,3\\n"])
    >>> processor(b"time,a\\n0,3\\n5,\\n7,1\\n")["values"].tolist(), processor.step
    ([[1.0], [0.0], [-1.0]], 1.0)
    """

    def __init__(
        self,
        means: list[float],
        deviations: list[float],
        step: float = 1.0,
        steps: Steps = STEPS,
        names: list[str] | None = None,
        clock: Clock | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        if bridge is not None and clock is None:
            raise RecipeError("bridge: says which gaps a clock may bridge; set the input's clock, in seconds, too")
        self.means, self.deviations = list(means), list(deviations)
        self.step, self.steps, self.names = step, steps, names
        self.clock, self.bridge = clock, bridge

    @classmethod
    def fit(
        cls,
        series: Iterable[Path | str | bytes],
        steps: Steps = STEPS,
        clock: Clock | None = None,
        bridge: Bridge | None = None,
    ) -> "SeriesProcessor":
        """A processor that knows the channels' means and deviations.

        Args:
            series: of training rows; those that can't be read are ignored.
            steps, clock, bridge: as above.

        Raises:
            DataError: no series can be read.
            RecipeError: a `bridge` without a `clock`.
        """
        read: dict[int, list[Series]] = {}
        for value in series:
            try:
                one = read_series(value)
            except DataError:
                continue
            read.setdefault(one.values.shape[1], []).append(one)
        if not read:
            raise DataError("no series can be read")
        usual = max(read.values(), key=len)  # others are unusable cells, and named as such
        count, means, scatter = np.zeros((3, usual[0].values.shape[1]))
        # Means and sums of squares are merged (Chan, 1979): no large level drowns what varies.
        for one in usual:
            there = np.isfinite(one.values)
            own = there.sum(axis=0)
            mean = np.where(there, one.values, 0).sum(axis=0) / np.maximum(own, 1)
            away = (np.where(there, one.values - mean, 0) ** 2).sum(axis=0)
            total = np.maximum(count + own, 1)
            scatter += away + (mean - means) ** 2 * count * own / total
            means += (mean - means) * own / total
            count += own
        deviations = np.sqrt(scatter / np.maximum(count, 1))
        deviations = np.where(deviations > 1e-12 * (np.abs(means) + 1e-300), deviations, 1.0)
        gaps = [float(np.median(np.diff(one.times))) for one in usual if one.times is not None and len(one.times) > 1]
        step = clock or (float(np.median(gaps)) if gaps else 1.0)
        names = None if usual[0].names is None else list(usual[0].names)
        return cls(means.tolist(), deviations.tolist(), step if step > 0 else 1.0, steps, names, clock, bridge)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __call__(self, value: Path | str | bytes) -> dict[str, np.ndarray]:
        """Read one series.

        Raises:
            EmptyValue: it has no step, or no number at all.
            DataError: it can't be read, or has another number of channels than those of training.
        """
        series = self.read(value)
        there = np.isfinite(series.values)
        scaled = (series.values - np.asarray(self.means)) / np.asarray(self.deviations)
        times = np.arange(len(there)) * self.step if series.times is None else series.times - series.times[0]
        return {
            "values": np.where(there, scaled, 0).astype(np.float32),
            "there": there,
            "times": times.astype(np.float32),
        }

    def read(self, value: Path | str | bytes) -> Series:
        """One series, with the channels of training and not too long."""
        series = read_series(value)
        if series.values.shape[1] != len(self.means):
            raise DataError(f"expected a series of {len(self.means)} channels, got {series.values.shape[1]}")
        if self.names is not None and series.names is not None and list(series.names) != self.names:
            if sorted(series.names) != sorted(self.names):
                wanted, got = ", ".join(self.names), ", ".join(series.names)
                raise DataError(f"expected the channels {wanted[:80]}, got {got[:80]}")
            order = [series.names.index(name) for name in self.names]
            series = replace(series, values=series.values[:, order], names=tuple(self.names))
        if series.sorted:
            _warn("sorted", "had times out of order; its steps were sorted")
        if self.clock is not None:
            series = on_clock(series, self.clock, self.bridge or 0.0)
        if len(series.values) > self.steps:
            _warn("long", f"of {len(series.values):,} steps was averaged to {self.steps:,}; raise the input's steps")
            series = averaged(series, self.steps)
        return series

    def blank(self) -> dict[str, np.ndarray]:
        """One step that holds nothing."""
        channels = len(self.means)
        nothing = {"values": np.zeros((1, channels), np.float32), "there": np.zeros((1, channels), bool)}
        return {**nothing, "times": np.zeros(1, np.float32)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U series → `{"values": [U, T, C], "there": [U, T, C] bool, "times": [U, T], "mask": [U, T] bool}`."""
        lengths = [len(value["times"]) for value in values]
        longest, channels = max(lengths), len(self.means)
        padded = {
            "values": np.zeros((len(values), longest, channels), np.float32),
            "there": np.zeros((len(values), longest, channels), bool),
            "times": np.zeros((len(values), longest), np.float32),
            "mask": np.arange(longest) < np.array(lengths)[:, None],
        }
        for row, (value, length) in enumerate(zip(values, lengths, strict=True)):
            for key in ("values", "there", "times"):
                padded[key][row, :length] = value[key]
        return {key: torch.from_numpy(array) for key, array in padded.items()}


def on_clock(series: Series, step: float, bridge: float) -> Series:
    """A series at a regular clock: steps of one tick are averaged, ticks between two steps lie on the line between
    them where these are at most `bridge` seconds apart, and all others are gaps.

    Raises:
        DataError: it says nothing of time, or its time would take too many ticks.

    >>> series = Series(np.array([[0.0], [1.0], [5.0]]), np.array([0.0, 1.0, 5.0]))
    >>> on_clock(series, 1.0, 2.0).values[:, 0].tolist(), on_clock(series, 1.0, 4.0).values[:, 0].tolist()
    ([0.0, 1.0, nan, nan, nan, 5.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    if series.times is None:
        raise DataError("a clock needs times, and the series has none; leave the input's clock out")
    start, count = series.times[0], int((series.times[-1] - series.times[0]) / step + 1.5)
    if count > MOST_TICKS:
        raise DataError(
            f"a clock of {step:g} s would take {count:,} ticks, more than {MOST_TICKS:,}; take a slower one"
        )
    tick = np.round((series.times - start) / step).astype(np.int64)
    ticks = start + step * np.arange(count)
    values = np.full((count, series.values.shape[1]), np.nan)
    for channel, own in enumerate(series.values.T):
        there = np.isfinite(own)
        sums = np.bincount(tick[there], own[there], count)
        counts = np.bincount(tick[there], minlength=count)
        column = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        if there.sum() > 1 and bridge > 0:
            times, numbers = series.times[there], own[there]
            after = np.searchsorted(times, ticks, "right").clip(1, len(times) - 1)
            width = times[after] - times[after - 1]
            within = (ticks >= times[0]) & (ticks <= times[-1]) & (width <= bridge)
            column = np.where(np.isnan(column) & within, np.interp(ticks, times, numbers), column)
        values[:, channel] = column
    return replace(series, values=values, times=ticks)


def averaged(series: Series, steps: int) -> Series:
    """A series of so many steps: the means of equal stretches, of what is there."""
    edges = np.linspace(0, len(series.values), steps + 1).astype(np.int64)[:-1]
    there = np.isfinite(series.values)
    counts = np.add.reduceat(there, edges, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(there, series.values, 0).astype(np.float64), edges, axis=0)
    values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    times = np.arange(len(series.values), dtype=np.float64) if series.times is None else series.times
    return replace(series, values=values, times=times[edges])


def _warn(kind: str, text: str) -> None:
    if kind not in _said:
        _said.add(kind)
        warnings.warn(f"a series {text} (said once)", DataWarning, stacklevel=3)


_said: set[str] = set()
