"""Shared: interleaved timing, and the rows of `results.json`."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]


def row(name: str, value: float, unit: str, against: str, ratio: float | None) -> Row:
    """One line of the results; `ratio` above 1 means better than `against`."""
    rounded = None if ratio is None else round(ratio, 3)
    return {"name": name, "value": float(f"{value:.4g}"), "unit": unit, "against": against, "ratio": rounded}


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int = 5) -> dict[str, float]:
    """Run each contestant in turn, round after round, so that a noisy machine is noisy for all.

    Args:
        contestants: name → a function that works and gives a rate (things a second).
        rounds: counted rounds, after one that warms up.

    Returns:
        The median rate of each.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            gc.collect()
            rate = run()
            if number:
                rates[name].append(rate)
    return {name: statistics.median(values) for name, values in rates.items()}


def rate(work: Callable[[], int]) -> float:
    """Things a second of a function that gives how many it did."""
    start = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - start)
