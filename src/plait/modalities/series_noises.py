"""Ways to make series worse: noise, lost channels, gaps, drift, an unsteady clock."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy libraries are imported where a series is made worse
    import numpy as np


def with_sensor_noise(series: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """Each channel with Gaussian noise of a share of its own deviation."""
    values, times = _read(series)
    return _file(values + share * _deviations(values) * random.normal(size=values.shape), times)


def without_channels(series: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """A series of whose channels each is lost with a probability; one always stays.

    The number of draws does not depend on the share, so that a larger one loses the same channels and more.
    """
    import numpy as np

    values, times = _read(series)
    draws = random.random((values.shape[1],))
    lost = (draws < share) & (np.arange(len(draws)) != draws.argmax())
    return _file(np.where(lost, np.nan, values), times)


def with_gap(series: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """A series with one stretch of it gone, somewhere; a step always stays."""
    import numpy as np

    values, times = _read(series)
    length = min(len(values) - 1, round(share * len(values)))
    start = int(random.random() * (len(values) - length))
    inside = (np.arange(len(values)) >= start) & (np.arange(len(values)) < start + length)
    return _file(np.where(inside[:, None], np.nan, values), times)


def drifted(series: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """Each channel drifts evenly, up or down, by so many of its deviations by the end."""
    import numpy as np

    values, times = _read(series)
    direction = random.choice([-1.0, 1.0], values.shape[1])
    ramp = np.linspace(0, 1, len(values))[:, None]
    return _file(values + share * ramp * direction * _deviations(values), times)


def with_jitter(series: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """Values as a clock would take them that is off by up to a share of a step, between the two nearest of them."""
    import numpy as np

    values, times = _read(series)
    shift = share * (2 * random.random(len(values)) - 1)
    place = np.clip(np.arange(len(values)) + shift, 0, len(values) - 1)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, len(values) - 1)
    weight = (place - below)[:, None]
    mixed = (1 - weight) * values[below] + weight * values[above]
    return _file(np.where(np.isnan(mixed), values, mixed), times)


def _read(series: Path | str | bytes) -> tuple["np.ndarray", "np.ndarray | None"]:
    import numpy as np

    from plait.processors.series_cells import read_series

    opened = read_series(series)
    return opened.values.astype(np.float64), opened.times


def _deviations(values: "np.ndarray") -> "np.ndarray":
    """`[C]`; 0 of a channel without numbers."""
    import numpy as np

    there = np.isfinite(values)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, values, 0).sum(axis=0) / count
    result: np.ndarray = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(axis=0) / count)
    return result


def _file(values: "np.ndarray", times: "np.ndarray | None") -> bytes:
    import numpy as np

    file = io.BytesIO()
    if times is None:
        np.save(file, values, allow_pickle=False)
    else:
        np.savez(file, values=values, times=times)
    return file.getvalue()
