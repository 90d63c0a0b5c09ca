"""The numbers, categories and dates of a row."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import MaxLen, MinLen
from torch import Tensor

from plait.errors import DataError
from plait.values import (
    DATE_PARTS,
    Known,
    NumberForm,
    Vocabulary,
    as_number,
    count_values,
    date_form,
    date_parts,
    is_missing,
    number_form,
)

UNKNOWN = 0  # the code of a category that training never saw; missing ones are -1


class TabularProcessor:
    """The numbers, categories and dates of one row → two short arrays.

    A date becomes five numbers (year, month, day, weekday, hour). A value that the row lacks is NaN or -1.

    Args:
        numbers: names of number columns.
        dates: names of date columns.
        categories: column → its known values, as the table has them; any other value gets the unknown slot.
        edges: name of a number (or `date.part`) → sorted bin edges from training, for the piecewise-linear embedding.
        stats: name of a number (or `date.part`) → mean and standard deviation over training.
        forms: column → how its numbers or dates are written, where that is not the plain way.

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
        categories: Mapping[str, Sequence[Known]],
        edges: Mapping[str, Annotated[Sequence[float], MinLen(2)]],
        stats: Mapping[str, Annotated[Sequence[float], MinLen(2), MaxLen(2)]],
        forms: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.numbers = list(numbers)
        self.dates = list(dates)
        self.categories = {name: list(values) for name, values in categories.items()}
        self.edges = {name: list(values) for name, values in edges.items()}
        self.stats = {name: list(values) for name, values in stats.items()}
        self.forms = {name: dict(form) for name, form in (forms or {}).items()}
        self._numbers = {name: number_form(self.forms.get(name)) for name in self.numbers}
        self._dates = {name: date_form(self.forms.get(name)) for name in self.dates}
        self._known = {name: Vocabulary(values) for name, values in self.categories.items()}
        lacking = [name for name in self.scalar_names if name not in self.edges or name not in self.stats]
        if lacking:
            raise DataError(f"number {lacking[0]!r} has no bin edges, or no mean and deviation")

    @classmethod
    def fit(
        cls,
        columns: Mapping[str, Sequence[Any]],
        numbers: Sequence[str],
        dates: Sequence[str],
        categories: Sequence[str],
        bins: int = 16,
        max_categories: int = 10_000,
        forms: Mapping[str, Mapping[str, str]] | None = None,
        untyped: bool = False,
        lenient: bool = False,
    ) -> "TabularProcessor":
        """Learn scales, bin edges (quantiles) and vocabularies from training columns.

        Args:
            columns: column → its raw training values.
            numbers, dates, categories: the names of the columns of each kind.
            bins: quantile bins per number.
            max_categories: how many of its most frequent values a category column keeps.
            forms: column → how its numbers or dates are written, where that is not the plain way.
            untyped: the cells come from a file in which every cell is text, so that "1" is an integer.
            lenient: a cell that can't be read as a number or date is ignored; else it is an error.
        """
        forms = {name: forms[name] for name in (*numbers, *dates) if forms and name in forms}
        series: dict[str, np.ndarray] = {
            name: _floats(name, columns[name], number_form(forms.get(name)), lenient) for name in numbers
        }
        for name in dates:
            form, nothing = date_form(forms.get(name)), [math.nan] * len(DATE_PARTS)
            read = [_or_nothing(partial(date_parts, name, value, form), nothing, lenient) for value in columns[name]]
            parts = np.array(read, dtype=np.float64).reshape(-1, len(DATE_PARTS))
            series.update({f"{name}.{part}": parts[:, i] for i, part in enumerate(DATE_PARTS)})
        edges, stats = {}, {}
        for name, values in series.items():
            finite = values[np.isfinite(values)]
            edges[name] = _quantile_edges(finite, bins)
            stats[name] = [float(finite.mean()), float(finite.std()) or 1.0] if len(finite) else [0.0, 1.0]
        vocabularies = {name: _vocabulary(columns[name], max_categories, untyped) for name in categories}
        return cls(numbers, dates, vocabularies, edges, stats, forms)

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
            **({"forms": self.forms} if self.forms else {}),
        }

    def __call__(self, value: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """A row → `{"numbers": [N] float32, "codes": [C] int32}`.

        Raises:
            DataError: a cell of a number or date column holds something else.
        """
        scalars = [as_number(name, value.get(name), form) for name, form in self._numbers.items()]
        for name, order in self._dates.items():
            scalars.extend(date_parts(name, value.get(name), order))
        codes = [
            -1
            if is_missing(value.get(name))
            else 1 + vocabulary.find(value[name])  # what training never saw is UNKNOWN
            for name, vocabulary in self._known.items()
        ]
        return {"numbers": np.array(scalars, dtype=np.float32), "codes": np.array(codes, dtype=np.int32)}

    def number(self, name: str, value: Any) -> float:
        """A cell of a number column, written as that column writes its numbers; NaN where it is missing."""
        return as_number(name, value, self._numbers[name])

    def blank(self) -> dict[str, np.ndarray]:
        """A row with all values missing."""
        return self({})

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """Rows → `{"numbers": [B, N] float32, "codes": [B, C] int64}`."""
        numbers = np.stack([value["numbers"] for value in values])
        codes = np.stack([value["codes"] for value in values])
        return {"numbers": torch.from_numpy(numbers), "codes": torch.from_numpy(codes.astype(np.int64))}


def _floats(name: str, values: Sequence[Any], form: NumberForm, lenient: bool) -> np.ndarray:
    numbers = [_or_nothing(partial(as_number, name, value, form), math.nan, lenient) for value in values]
    return np.array(numbers, dtype=np.float64)


def _or_nothing(parse: Callable[[], Any], nothing: Any, lenient: bool) -> Any:
    """The parsed cell; if `lenient`, `nothing` for a cell that can't be parsed."""
    try:
        return parse()
    except DataError:
        if not lenient:
            raise
        return nothing


def _quantile_edges(finite: np.ndarray, bins: int) -> list[float]:
    if not len(finite):
        return [0.0, 1.0]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1)))
    # A constant column still needs a bin.
    return [float(edges[0]), float(edges[0]) + 1.0] if len(edges) == 1 else [float(edge) for edge in edges]


def _vocabulary(values: Sequence[Any], most: int, untyped: bool) -> list[Known]:
    counts = count_values(values, untyped)
    return sorted(counts, key=lambda value: (-counts[value], str(value)))[:most]
