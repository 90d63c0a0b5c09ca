"""Intervals and tests by the bootstrap: rows are drawn again, and every model is judged on the same draws."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

DRAWS = 1000
Function = Callable[[np.ndarray, np.ndarray], float]


def draw_rows(count: int, groups: np.ndarray | None = None, draws: int = DRAWS, seed: int = 0) -> list[np.ndarray]:
    """Positions of each draw, with replacement: of rows, or of whole groups, whose rows are not independent.

    >>> draw_rows(3, np.array([0, 0, 1]), draws=1, seed=3)[0].tolist()
    [2, 0, 1]
    """
    random = np.random.default_rng(seed)
    if groups is None:
        return list(random.integers(0, count, (draws, count)))
    members = [np.flatnonzero(groups == code) for code in np.unique(groups)]
    return [
        np.concatenate([members[pick] for pick in random.integers(0, len(members), len(members))]) for _ in range(draws)
    ]


def bootstrap(
    metric: Function, truth: np.ndarray, predictions: Sequence[np.ndarray], draws: Sequence[np.ndarray]
) -> np.ndarray:
    """`[draws]` the metric, averaged over seeds, on each draw; NaN where a draw does not allow it.

    Args:
        metric: `(truth, prediction) -> float`.
        truth: `[N, …]`.
        predictions: of each seed, `[N, …]`.
        draws: positions of each.
    """
    return np.array([np.mean([metric(truth[draw], one[draw]) for one in predictions]) for draw in draws])


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of a bootstrap."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)


def p_value(difference: float, differences: np.ndarray) -> float:
    """Two-sided, that a difference is zero, by the normal distribution with the bootstrap's standard error.

    Counting draws beyond zero would end at one in a thousand, too coarse to be corrected for many comparisons.

    Args:
        difference: as measured.
        differences: of each draw.

    >>> round(p_value(1.96, np.array([-1.0, 1.0] * 500) + 1.96), 3)
    0.05
    """
    error = float(np.nanstd(differences))
    if error == 0 or not np.isfinite(error):
        return 1.0 if difference == 0 or not np.isfinite(error) else 0.0
    return math.erfc(abs(difference) / error / math.sqrt(2))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values corrected for having made so many comparisons (Holm, 1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - rank)))
        corrected[name] = largest
    return corrected
