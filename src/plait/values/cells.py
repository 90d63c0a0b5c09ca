"""One raw cell: missing, a text, a number, a date."""

import datetime
import decimal
import enum
import math
import sys
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from plait.errors import DataError
from plait.values.forms import ISO, PLAIN, DateForm, NumberForm

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "?"})
DATE_PARTS = ("year", "month", "day", "weekday", "hour")

_NOTHING = ("NAType", "NaTType")  # pandas' words for missing, known by name: this room loads neither pandas nor numpy


def is_numpy(value: Any, *types: str) -> bool:
    """Whether a value is of one of numpy's types; there are such values only where numpy is loaded already.

    >>> is_numpy(3, "generic")
    False
    """
    numpy = sys.modules.get("numpy")
    return numpy is not None and any(isinstance(value, getattr(numpy, name)) for name in types)


def is_missing(value: Any) -> bool:
    """None, NaN, pandas' NA and NaT, or an empty string.

    >>> is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    if is_numpy(value, "floating", "datetime64", "timedelta64"):
        return bool(value != value)  # NaN and NaT are not equal to themselves
    return type(value).__name__ in _NOTHING


def plain(value: Any) -> Any:
    """A cell without its wrapping: an Enum's value, numpy's scalars as Python's, a path or UUID as its text.

    >>> import numpy as np
    >>> plain(np.int64(3)), plain(PurePath("a/b.png")), plain(decimal.Decimal("1.50"))
    (3, 'a/b.png', 1.5)
    """
    if isinstance(value, enum.Enum):
        value = value.value if isinstance(value.value, str | int | float) else value.name
    if is_numpy(value, "generic"):
        return value.item()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, PurePath | uuid.UUID):
        return str(value)
    return value


def as_text(value: Any) -> str:
    """A cell as the text that a person would write: a whole number has no `.0`, whatever the column's type made of it.

    >>> import numpy as np
    >>> as_text(3.0), as_text("3.0"), as_text(np.float32(0.1)), as_text(True)
    ('3', '3.0', '0.1', 'True')
    """
    if isinstance(value, str):
        return value
    if is_numpy(value, "float16", "float32"):  # widened, 0.1 would become 0.10000000149
        value = float(str(value))
    value = plain(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def as_number(name: str, value: Any, form: NumberForm = PLAIN) -> float:
    """A cell as a float; NaN where it is missing or infinite. A duration or a time of day is its seconds.

    Args:
        name: of the column, for the message.
        value: the cell.
        form: how the column writes its numbers, where they are texts.

    Raises:
        DataError: it holds something else: `1_12` and `1e5x` are no numbers.

    >>> as_number("price", " 7 "), as_number("price", "1.234,50", NumberForm(",", "."))
    (7.0, 1234.5)
    >>> as_number("wait", datetime.timedelta(minutes=2))
    120.0
    """
    number: Any
    if isinstance(value, str):
        number = form.read(value)
        if number is None and value.strip().lower() in MISSING_WORDS:
            return math.nan
    elif is_missing(value):
        return math.nan
    elif isinstance(value, datetime.timedelta):
        number = value.total_seconds()
    elif is_numpy(value, "timedelta64"):
        number = value / type(value)(1, "s")
    elif isinstance(value, datetime.time):
        number = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    else:
        bare = plain(value)
        number = form.read(bare) if isinstance(bare, str) else bare if isinstance(bare, int | float) else None
    if number is None:
        raise DataError(f"column {name!r}: expected a number, got {shown(value)}; fix or empty the cell")
    try:
        number = float(number)
    except OverflowError:
        raise DataError(f"column {name!r}: {shown(value)} is larger than any number; fix or empty the cell") from None
    return number if math.isfinite(number) else math.nan


def as_date(name: str, value: Any, form: DateForm = ISO) -> datetime.datetime | None:
    """A cell as a datetime (ISO 8601 where it is text, or the column's own order); None where it is missing.

    Raises:
        DataError: it holds something else.

    >>> as_date("day", "2026-11-27").day, as_date("day", "27/11/2026", DateForm("dmy")).month
    (27, 11)
    """
    if is_missing(value) or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS | {"nat"}):
        return None
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    if is_numpy(value, "datetime64"):
        value = str(value.astype("datetime64[us]"))
    textual = (isinstance(value, str | int) and not isinstance(value, bool)) or is_numpy(value, "integer")
    text = as_text(value) if textual else None
    date = None if text is None else form.read(text)
    if date is None:
        raise DataError(
            f"column {name!r}: expected a date such as 2026-11-22 or 2026-11-22T08:30, got {shown(value)}; "
            "fix or empty the cell"
        )
    return date


def date_parts(name: str, value: Any, form: DateForm = ISO) -> list[float]:
    """Year, month, day, weekday (Monday is 0) and hour with minutes as a fraction; five NaN where missing."""
    date = as_date(name, value, form)
    if date is None:
        return [math.nan] * len(DATE_PARTS)
    return [date.year, date.month, date.day, date.weekday(), date.hour + date.minute / 60]


def shown(value: Any, most: int = 60) -> str:
    """A cell as messages quote it."""
    return repr(str(value)[:most])


def number_form(options: Mapping[str, str] | None) -> NumberForm:
    """A form as a schema or processor keeps it."""
    return NumberForm(**options) if options else PLAIN


def date_form(options: Mapping[str, str] | None) -> DateForm:
    """A form as a schema or processor keeps it."""
    return DateForm(**options) if options else ISO
