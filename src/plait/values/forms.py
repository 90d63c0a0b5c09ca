"""How a column of texts writes its numbers and dates: `1.234,50 €`, `27/11/2026`.

A form is taken only where every cell agrees with it and no other form would read another value: `1,234` throughout is
no number until somebody says which mark is the decimal one.
"""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?(?:inf|infinity)", re.IGNORECASE)
_SPACES = " \u00a0\u202f"  # a space, and those that keep a number on one line
_DAY = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?")
_YEAR = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?")
_ISO = re.compile(r"\d{4}-\d")


def is_plain_number(text: str) -> bool:
    """Only what people call a number: `7`, `-0.5`, `1e5`; not `1_12`, `0x1F` or `1,5`.

    >>> [is_plain_number(text) for text in ("7", " 7 ", "1_12", "1e5x", "1,5")]
    [True, True, False, False, False]
    """
    return bool(_PLAIN.fullmatch(text.strip()))


def unit_of(text: str) -> tuple[str, str]:
    """The currency or percent sign of a number, and the rest.

    >>> unit_of("€ 19.41"), unit_of("-$5"), unit_of("12 %"), unit_of("7")
    (('€', '19.41'), ('$', '-5'), ('%', '12'), ('', '7'))
    """
    text = text.strip()
    sign = text[:1] if text[:1] in "+-" else ""
    bare = text[len(sign) :].strip()
    if bare and unicodedata.category(bare[0]) == "Sc":
        rest = bare[1:].strip()
        return bare[0], rest if rest[:1] in "+-" and not sign else sign + rest
    if bare and (unicodedata.category(bare[-1]) == "Sc" or bare[-1] == "%"):
        return bare[-1], sign + bare[:-1].strip()
    return "", sign + bare


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written.

    Args:
        decimal: the mark before the fraction.
        thousands: the mark between groups of three digits; empty for none. A space stands for every kind of space.
        unit: the sign beside every number, a currency's or `%`; a cell without it is read too.

    >>> NumberForm(",", ".", "€").read("1.234,50 €"), NumberForm().read("1.234,50")
    (1234.5, None)
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    _body: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        mark = f"[{_SPACES}]" if self.thousands == " " else re.escape(self.thousands)
        whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)" if self.thousands else r"\d+"
        point = re.escape(self.decimal)
        body = rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        object.__setattr__(self, "_body", re.compile(body))

    def read(self, text: str) -> float | None:
        """The number; None where the text is written otherwise, or says a number larger than any float."""
        text = text.strip()
        if _INFINITE.fullmatch(text):
            return float(text)
        unit, body = unit_of(text) if self.unit else ("", text)
        if unit not in ("", self.unit) or not self._body.fullmatch(body):
            return None
        for mark in _SPACES if self.thousands == " " else self.thousands:
            body = body.replace(mark, "")
        number = float(body.replace(self.decimal, "."))
        return None if number in (float("inf"), float("-inf")) else number

    def to_json(self) -> dict[str, str]:
        return {"decimal": self.decimal, "thousands": self.thousands, "unit": self.unit}

    def describe(self) -> str:
        """The form in words, for a column's reason; empty for the plain one."""
        parts = [f"{self.decimal!r} before the fraction"] if self.decimal != "." else []
        parts += [f"{self.thousands!r} between thousands"] if self.thousands else []
        return ", ".join([*parts, *([f"in {self.unit}"] if self.unit else [])])


PLAIN = NumberForm()
_FORMS = [
    NumberForm(decimal, thousands)
    for decimal, thousands in itertools.product(".,", ("", ",", ".", " ", "'"))
    if decimal != thousands
]


@dataclass(frozen=True)
class Reading:
    """What was found out about a column's texts.

    Args:
        form: how it writes; None where no form reads every cell, or several read different values.
        hint: why there is none and what to do, where the column seems to be of this kind.
    """

    form: "NumberForm | DateForm | None"
    hint: str = ""


def read_numbers(texts: Sequence[str], decimal: str | None = None) -> Reading:
    """The form of a column's numbers.

    Args:
        texts: its cells, none of them missing.
        decimal: the mark before the fraction, where the user says so.

    >>> read_numbers(["12,5", "3"]).form.decimal, read_numbers(["$12.50", "$3.00"]).form.unit
    (',', '$')
    >>> read_numbers(["1,234", "2,500"])
    Reading(form=None, hint="'1,234' is 1234 or 1.234: say which with --decimal . or --decimal ,")
    """
    parts = [unit_of(text) for text in texts]
    units = {unit for unit, _ in parts}
    if len(units) != 1:
        return Reading(None)
    bodies = [body for _, body in parts]
    candidate: tuple[NumberForm, list[float]] | None = None
    # Forms may differ as long as they read the same values; the first one is taken then.
    for form in _FORMS:
        values = _all_read(form, bodies) if decimal in (None, form.decimal) else None
        if values is None:
            continue
        if candidate is None:
            candidate = form, values
        elif values != candidate[1]:
            place = next(i for i, (a, b) in enumerate(zip(candidate[1], values, strict=True)) if a != b)
            ways = " or ".join(f"{number:.10g}" for number in (candidate[1][place], values[place]))
            return Reading(None, f"{texts[place]!r} is {ways}: say which with --decimal . or --decimal ,")
    return Reading(None if candidate is None else NumberForm(candidate[0].decimal, candidate[0].thousands, units.pop()))


def _all_read(form: NumberForm, bodies: Sequence[str]) -> list[float] | None:
    values = []
    for body in bodies:
        value = form.read(body)
        if value is None:
            return None
        values.append(value)
    return values


@dataclass(frozen=True)
class DateForm:
    """How dates are written that are not ISO 8601, which is always read, as is `2026/11/27`.

    Args:
        order: `dmy` or `mdy`; empty where every date begins with its year.

    >>> DateForm("dmy").read("27/11/2026 08:30").isoformat(), DateForm().read("27/11/2026")
    ('2026-11-27T08:30:00', None)
    """

    order: str = ""

    def read(self, text: str) -> datetime.datetime | None:
        """The date; None where the text is written otherwise."""
        text = text.strip()
        try:
            if year := _YEAR.fullmatch(text):
                return _date(year[1], year[2], year[3], year[4])
            if self.order and (day := _DAY.fullmatch(text)):
                first, second = (day[1], day[3]) if self.order == "dmy" else (day[3], day[1])
                return _date(day[4], second, first, day[5])
            return datetime.datetime.fromisoformat(text)
        except ValueError:
            return None

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def describe(self) -> str:
        """The form in words, for a column's reason; empty for ISO."""
        return {"dmy": "day/month/year", "mdy": "month/day/year"}.get(self.order, "")


ISO = DateForm()


def _date(year: str, month: str, day: str, time: str | None) -> datetime.datetime:
    date = datetime.datetime(int(year), int(month), int(day))
    return date if time is None else datetime.datetime.combine(date, datetime.time.fromisoformat(time.zfill(5)))


def read_dates(texts: Sequence[str]) -> Reading:
    """The form of a column's dates. A bare number is no date, though Python reads 20260101 as one.

    >>> read_dates(["2026-01-02", "27/11/2026"]).form.order, read_dates(["2026-01-02"]).form.order
    ('dmy', '')
    >>> read_dates(["03/04/2026"]).hint
    "'03/04/2026' is 3 April or 4 March, and no cell tells: write dates as 2026-04-03"
    """
    rest = [text for text in texts if not (_ISO.match(text.strip()) or _YEAR.fullmatch(text.strip()))]
    others = set(rest)
    # Dates that begin with the year can be read in any form; the others have to agree on one.
    if any(ISO.read(text) is None for text in texts if text not in others):
        return Reading(None)
    if not rest:
        return Reading(ISO)
    forms = [form for form in (DateForm("dmy"), DateForm("mdy")) if all(form.read(text) for text in rest)]
    if len(forms) == 2 and any(forms[0].read(text) != forms[1].read(text) for text in rest):
        text = next(text for text in rest if forms[0].read(text) != forms[1].read(text))
        one, other = (form.read(text) for form in forms)
        assert one is not None and other is not None
        ways = f"{one.day} {one:%B} or {other.day} {other:%B}"
        return Reading(None, f"{text!r} is {ways}, and no cell tells: write dates as {one:%Y-%m-%d}")
    return Reading(forms[0] if forms and _DAY.fullmatch(rest[0].strip()) else None)
