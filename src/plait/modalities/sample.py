"""Some cells of a column, and the facts about them by which modalities recognise the column."""

import datetime
import decimal
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from plait.errors import PlaitError
from plait.values import (
    ISO,
    MISSING_WORDS,
    PLAIN,
    DateForm,
    NumberForm,
    Reading,
    are_codes,
    as_date,
    as_number,
    as_text,
    read_dates,
    read_numbers,
    shown,
)

ID_NAME = re.compile(r"(^|[_\s.-])(id|ids|idx|index|uuid|guid|key|rowid|row_id|unnamed: ?\d+)$", re.IGNORECASE)
ODD = 0.5  # share of cells; if no more than these keep a column from being numbers or dates, a hint names one
SINGLE = (str, bool, int, float, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)


@dataclass
class Sample:
    """A column, as far as is needed to recognise what it holds.

    Args:
        name: of the column.
        values: cells that are not empty, up to 5,000, evenly spaced.
        count: cells that are not empty, in all.
        distinct: how many of them differ.
        declared: what the column's own type says: `boolean`, `duration`, `time`, `moment`, or nothing.
        categorical: its type in the frame or file is category.
        decimal: the mark before the fraction of numbers that are texts, where the user names it.
    """

    name: str
    values: Sequence[Any]
    count: int
    distinct: int
    declared: str = ""
    categorical: bool = False
    decimal: str | None = None

    @cached_property
    def _texts(self) -> list[str]:
        texts = [value.strip() for value in self.values if isinstance(value, str)]
        return [text for text in texts if text.lower() not in MISSING_WORDS]

    @cached_property
    def number_reading(self) -> Reading:
        """How its texts would be read as numbers; the plain way where its cells are not texts."""
        return read_numbers(self._texts, self.decimal) if self._texts else Reading(PLAIN)

    @cached_property
    def date_reading(self) -> Reading:
        """How its texts would be read as dates."""
        return read_dates(self._texts) if self._texts else Reading(ISO)

    @property
    def single(self) -> bool:
        """Its cells are single values of kinds that columns usually hold."""
        return isinstance(self.values[0], SINGLE)

    @property
    def few(self) -> bool:
        """So few values differ that they may be categories."""
        return self.distinct <= max(20, self.count // 5)

    @property
    def unique(self) -> bool:
        """Every cell differs, and there are enough of them to say so."""
        return self.distinct == self.count and self.count >= 20

    @cached_property
    def are_dates(self) -> bool:
        """All of its cells are dates."""
        form = self.date_reading.form
        return self.declared == "moment" or (form is not None and _all(self.values, as_date, form))

    @cached_property
    def numbers(self) -> list[float] | None:
        """Its cells as numbers; None where one is none."""
        form = self.number_reading.form
        if form is None or not _all(self.values, as_number, form):
            return None
        return [as_number("", value, cast(NumberForm, form)) for value in self.values]

    @cached_property
    def few_whole(self) -> bool:
        """They are whole numbers with few distinct values, as the numbers of classes are."""
        if self.numbers is None or self.distinct > max(2, min(20, len(self.values) // 5)):
            return False
        return all(number.is_integer() for number in self.numbers if math.isfinite(number))

    @cached_property
    def are_codes(self) -> bool:
        """Its cells look like numbers and are names, such as 0341."""
        return self.numbers is not None and are_codes(
            [as_text(value) for value in self.values], self.count, self.distinct
        )

    @property
    def code(self) -> str:
        """A value that shows that these are codes and not numbers, quoted."""
        texts = [as_text(value).strip() for value in self.values]
        return next((repr(text) for text in texts if re.fullmatch(r"[+-]?0\d+|.*\.\d*0", text)), repr(texts[0]))

    @cached_property
    def words(self) -> float:
        """The mean number of words in a cell."""
        return sum(len(str(value).split()) for value in self.values) / len(self.values)

    @cached_property
    def are_ids(self) -> bool:
        """Its cells only identify rows. Dates never count as ids, nor do columns with a type of their own."""
        if not self.unique or self.declared or self.are_dates:
            return False
        if self.numbers is not None:
            whole = all(number.is_integer() for number in self.numbers[:1000])
            return whole and bool(ID_NAME.search(self.name) or _counts_up(self.numbers))
        return self.words < 1.5 and bool(ID_NAME.search(self.name) or _look_like_ids(self.values))

    @cached_property
    def hint(self) -> str | None:
        """Why a column that is mostly numbers or dates is typed as neither, and what to type."""
        hint = self.number_reading.hint or self.date_reading.hint
        if hint:
            return hint
        forms: tuple[tuple[str, Callable[..., Any], NumberForm | DateForm], ...]
        forms = (("number", as_number, PLAIN), ("date", as_date, ISO))
        for kind, parse, form in forms:
            odd = [value for value in self.values if not _all([value], parse, form)]
            if odd and len(odd) <= ODD * len(self.values):
                return (
                    f"most cells are {kind}s, but {len(odd)} of {len(self.values)} are not, such as "
                    f"{shown(odd[0], 30)}; correct or empty them, or train with --type {self.name}={kind} "
                    "--on-error missing"
                )
        return None


def described(form: NumberForm | DateForm | None) -> str:
    """How numbers or dates are written, in brackets; nothing where it is the plain way."""
    words = form.describe() if form is not None else ""
    return f" ({words})" if words else ""


def file_names(values: Sequence[Any], suffixes: frozenset[str]) -> bool:
    """Whether texts name files of some endings, one or several a cell.

    >>> file_names(["a.jpg;b.jpg", "c.JPG"], frozenset({".jpg"}))
    True
    """
    parts = [part.strip() for value in values for part in str(value).split(";")]
    return all(Path(part).suffix.lower() in suffixes for part in parts if part)


def _all(values: Sequence[Any], parse: Callable[..., Any], form: NumberForm | DateForm) -> bool:
    """Whether every cell parses; a bare number is no date, although Python reads 20260101 as one."""
    try:
        for value in values:
            if isinstance(value, bool) or (isinstance(form, DateForm) and isinstance(value, int | float)):
                return False
            if isinstance(form, DateForm) and isinstance(value, str) and value.strip().isdigit():
                return False
            parse("", value, form)
    except PlaitError:
        return False
    return True


def _counts_up(numbers: Sequence[float]) -> bool:
    steps = [after - before for before, after in pairwise(numbers)]
    return bool(steps) and steps[0] > 0 and all(step == steps[0] for step in steps)


def _look_like_ids(values: Sequence[Any]) -> bool:
    """Strings such as `A-00017` or a hash: one word, of one length, with digits in most."""
    texts = [str(value) for value in values]
    lengths = {len(text) for text in texts}
    return len(lengths) <= 3 and sum(any(c.isdigit() for c in text) for text in texts) > 0.7 * len(texts)
