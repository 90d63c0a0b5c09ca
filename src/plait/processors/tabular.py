"""Numbers, categories and dates of a row."""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import MaxLen, MinLen
from torch import Tensor

from plait.errors import DataError

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "?"})
DATE_PARTS = ("year", "month", "day", "weekday", "hour")
UNKNOWN = 0  # the code of a category that training never saw; absent ones are -1


class TabularProcessor:
    """The numbers, categories and dates of one row → two short arrays.

    A date becomes five numbers (year, month, day, weekday, hour). A value that the row lacks is NaN or -1.

    Args:
        numbers: names of number columns.
        dates: names of date columns.
        categories: column → its known values; any other value gets the unknown slot.
        edges: name of a number (or `date.part`) → sorted bin edges from training, for the piecewise-linear embedding.
        stats: name of a number (or `date.part`) → mean and standard deviation over training.

    >>> rows = {"price": [1.0, 3.0, None], "colour": ["red", "blue", "red"]}
    >>> processor = TabularProcessor.fit(rows, numbers=["price"], dates=[], categories=["colour"])
    >>> features = processor({"price": "2", "colour": "green"})
    >>> features["numbers"].tolist(), features["codes"].tolist()
    ([2.0], [0])
    """

    def __init__(
        self,
        numbers: Sequence[str],
        dates: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        edges: Mapping[str, Annotated[Sequence[float], MinLen(2)]],
        stats: Mapping[str, Annotated[Sequence[float], MinLen(2), MaxLen(2)]],
    ) -> None:
        self.numbers = list(numbers)
        self.dates = list(dates)
        self.categories = {name: list(values) for name, values in categories.items()}
        self.edges = {name: list(values) for name, values in edges.items()}
        self.stats = {name: list(values) for name, values in stats.items()}
        lacking = [name for name in self.scalar_names if name not in self.edges or name not in self.stats]
        if lacking:
            raise DataError(f"number {lacking[0]!r} has no bin edges, or no mean and deviation")
        self._codes = {name: {v: i + 1 for i, v in enumerate(values)} for name, values in self.categories.items()}

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Sequence[Any]],
        numbers: Sequence[str],
        dates: Sequence[str],
        categories: Sequence[str],
        bins: int = 16,
        max_categories: int = 10_000,
    ) -> "TabularProcessor":
        """Learn scales, bin edges (quantiles) and vocabularies from training columns.

        Args:
            columns: column → its raw training values.
            numbers, dates, categories: which columns are what.
            bins: quantile bins a number.
            max_categories: the most frequent values that a category column keeps.
        """
        series: dict[str, np.ndarray] = {name: _floats(name, columns[name]) for name in numbers}
        for name in dates:
            parts = np.array([date_parts(name, value) for value in columns[name]], dtype=np.float64)
            series.update({f"{name}.{part}": parts[:, i] for i, part in enumerate(DATE_PARTS)})
        edges, stats = {}, {}
        for name, values in series.items():
            known = values[np.isfinite(values)]
            edges[name] = _quantile_edges(known, bins)
            stats[name] = [float(known.mean()), float(known.std()) or 1.0] if len(known) else [0.0, 1.0]
        vocabularies = {name: _vocabulary(columns[name], max_categories) for name in categories}
        return cls(numbers, dates, vocabularies, edges, stats)

    @property
    def scalar_names(self) -> list[str]:
        """The numbers in the order of `features["numbers"]`: number columns, then the parts of dates."""
        return self.numbers + [f"{name}.{part}" for name in self.dates for part in DATE_PARTS]

    def to_json(self) -> dict[str, Any]:
        return {
            "numbers": self.numbers,
            "dates": self.dates,
            "categories": self.categories,
            "edges": self.edges,
            "stats": self.stats,
        }

    def __call__(self, value: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """A row → `{"numbers": [N] float32, "codes": [C] int32}`.

        Raises:
            DataError: a cell of a number or date column holds something else.
        """
        scalars = [as_number(name, value.get(name)) for name in self.numbers]
        for name in self.dates:
            scalars.extend(date_parts(name, value.get(name)))
        codes = [
            -1 if is_missing(value.get(name)) else known.get(str(value[name]), UNKNOWN)
            for name, known in self._codes.items()
        ]
        return {"numbers": np.array(scalars, dtype=np.float32), "codes": np.array(codes, dtype=np.int32)}

    def blank(self) -> dict[str, np.ndarray]:
        """A row of which nothing is known."""
        return self({})

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """Rows → `{"numbers": [B, N] float32, "codes": [B, C] int64}`."""
        numbers = np.stack([value["numbers"] for value in values])
        codes = np.stack([value["codes"] for value in values])
        return {"numbers": torch.from_numpy(numbers), "codes": torch.from_numpy(codes.astype(np.int64))}


def is_missing(value: Any) -> bool:
    """None, NaN, or an empty string.

    >>> is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def as_number(name: str, value: Any) -> float:
    """A cell as a float; NaN where it is missing or infinite.

    Raises:
        DataError: it holds something else.
    """
    if value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        if str(value).strip().lower() in MISSING_WORDS:
            return math.nan
        raise DataError(f"column {name!r}: expected a number, got {str(value)[:60]!r}; fix or empty the cell") from None
    return number if math.isfinite(number) else math.nan


def as_date(name: str, value: Any) -> datetime.datetime | None:
    """A cell as a datetime (ISO 8601 where it is text); None where it is missing.

    Raises:
        DataError: it holds something else.
    """
    if is_missing(value) or str(value).strip().lower() in MISSING_WORDS | {"nat"}:
        return None
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    try:
        return datetime.datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise DataError(
            f"column {name!r}: expected a date such as 2026-11-22 or 2026-11-22T08:30, got {str(value)[:60]!r}; "
            "fix or empty the cell"
        ) from None


def date_parts(name: str, value: Any) -> list[float]:
    """Year, month, day, weekday (Monday is 0) and hour with minutes as a fraction; five NaN where missing."""
    date = as_date(name, value)
    if date is None:
        return [math.nan] * len(DATE_PARTS)
    return [date.year, date.month, date.day, date.weekday(), date.hour + date.minute / 60]


def _floats(name: str, values: Sequence[Any]) -> np.ndarray:
    return np.array([as_number(name, value) for value in values], dtype=np.float64)


def _quantile_edges(known: np.ndarray, bins: int) -> list[float]:
    if not len(known):
        return [0.0, 1.0]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)))
    return [float(edges[0]), float(edges[0]) + 1.0] if len(edges) == 1 else [float(edge) for edge in edges]


def _vocabulary(values: Sequence[Any], most: int) -> list[str]:
    counts: dict[str, int] = {}
    for value in values:
        if not is_missing(value):
            counts[str(value)] = counts.get(str(value), 0) + 1
    return sorted(counts, key=lambda value: (-counts[value], value))[:most]
