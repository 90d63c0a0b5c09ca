"""What each column is, and why: typed from its values, overridden by the user."""

import datetime
import decimal
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.data.table import Table
from plait.errors import DataError, PlaitError, RunError, unknown
from plait.files.atomic import write_json
from plait.files.reading import read_json
from plait.processors.image import picture_suffixes
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
    is_missing,
    number_form,
    read_dates,
    read_numbers,
    shown,
)

MODALITIES = ("text", "image", "number", "category", "date", "ignore")
SAMPLE = 5_000  # cells that are looked at; counts of missing and distinct cells are over all
ID_NAME = re.compile(r"(^|[_\s.-])(id|ids|idx|index|uuid|guid|key|rowid|row_id|unnamed: ?\d+)$", re.IGNORECASE)
LIST_SEPARATOR = ";"
ODD = 0.5  # share of cells up to which those that stand in a number's or date's way are told
SINGLE = (str, bool, int, float, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)
SEVERAL = "; several in a cell are a set without order"
GROUP = "the group"


@dataclass(frozen=True)
class Column:
    """A column's type and the reason for it.

    Args:
        name: as in the table.
        modality: one of `MODALITIES`.
        reason: why, in words.
        rows: cells in all.
        missing: empty cells.
        distinct: distinct cells that are not empty.
        many: cells may hold several values (a list, or text separated by `;`).
        form: how the cells write numbers or dates, where that is not the plain way.
    """

    name: str
    modality: str
    reason: str
    rows: int
    missing: int
    distinct: int
    many: bool = False
    form: dict[str, str] | None = None


Schema = dict[str, Column]


def infer_schema(
    table: Table,
    overrides: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
    decimal: str | None = None,
) -> Schema:
    """Type every column.

    Args:
        table: the rows.
        overrides: column → modality, as the user says.
        roles: column → what else it is for (`the target`, `the group`); such columns are no inputs, but for a group
            of pictures.
        decimal: the mark before the fraction of numbers that are texts, where the user says so.

    Raises:
        DataError: an override names a column or a modality that does not exist, or a column that it can't be.
    """
    overrides = overrides or {}
    for name, modality in overrides.items():
        table.column(name)
        if modality not in MODALITIES:
            raise DataError(f"--type {name}={modality}: {unknown('type', modality, MODALITIES)}")
        if name in table.uncovered and modality != "ignore":
            raise DataError(f"{table.source}: column {name!r} can't be {modality}: {table.uncovered[name]}")
    roles = roles or {}
    for name, role in roles.items():
        if name in table.uncovered:
            raise DataError(f"{table.source}: column {name!r} can't be {role}: {table.uncovered[name]}")
    return {name: _typed(table, name, overrides.get(name), roles.get(name), decimal) for name in table.columns}


def _typed(table: Table, name: str, override: str | None, role: str | None, decimal: str | None) -> Column:
    column = table.column(name)
    nested = pa.types.is_nested(column.type) or pa.types.is_null(column.type)
    rows = len(column)
    sample = sampled(table, name)
    present = [value for value in sample if not is_missing(value)]
    distinct = (
        len({str(value) for value in present}) if nested else pc.count_distinct(column, mode="only_valid").as_py()
    )
    missing = rows - len(present) if rows <= SAMPLE else column.null_count
    many = any(isinstance(value, list) for value in present[:100])
    forms = Forms.of(present, decimal)
    if override is not None and role is None:
        modality, reason = override, "as you said"
        _check_override(table, name, override, present)
    elif name in table.uncovered:
        modality, reason = "ignore", table.uncovered[name]
    else:
        found = _guess(name, column.type, present, distinct, rows - missing, forms)
        modality, reason = found
        if name in table.categorical and modality not in ("ignore", "image") and distinct < rows - missing:
            modality, reason = "category", f"its type is category, {distinct:,} of them"
    if role == GROUP and modality == "image":
        reason += f"; it is {role} too"  # rows that share a picture belong together, and still show it
    elif role is not None:
        modality, reason = "ignore", f"it is {role}"
    if modality == "image":
        many = many or any(isinstance(value, str) and LIST_SEPARATOR in value for value in present)
        reason += SEVERAL if many else ""
    return Column(name, modality, reason, rows, missing, distinct, many, forms.written(modality, role))


def _check_override(table: Table, name: str, modality: str, present: Sequence[Any]) -> None:
    """Refuse lists and objects as what only single values can be: the text of their `repr` is nothing to learn from."""
    odd = next((value for value in present if isinstance(value, list | dict)), None)
    if odd is not None and modality in ("text", "number", "category", "date"):
        raise DataError(
            f"{table.source}: column {name!r} can't be {modality}: its cells are {type(odd).__name__}s, such as "
            f"{shown(odd, 40)}; give each value a column of its own"
        )


@dataclass(frozen=True)
class Forms:
    """How a column's texts would be read as numbers and as dates; both plain where its cells are no texts."""

    number: Reading
    date: Reading

    @classmethod
    def of(cls, present: Sequence[Any], decimal: str | None = None) -> "Forms":
        texts = [value.strip() for value in present if isinstance(value, str)]
        texts = [text for text in texts if text.lower() not in MISSING_WORDS]
        if not texts:
            return cls(Reading(PLAIN), Reading(ISO))
        return cls(read_numbers(texts, decimal), read_dates(texts))

    def written(self, modality: str, role: str | None = None) -> dict[str, str] | None:
        """The form that a processor needs, as a schema keeps it; None for the plain one."""
        form = self.date.form if modality == "date" else self.number.form if modality == "number" else None
        return None if form in (None, PLAIN, ISO) else form.to_json()


def sampled(table: Table, name: str) -> list[Any]:
    """Up to `SAMPLE` cells, evenly spaced."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(SAMPLE, len(table))).astype(np.int64))
    return table.cells(name, rows)


def _guess(
    name: str, kind: pa.DataType, present: list[Any], distinct: int, count: int, forms: Forms
) -> tuple[str, str]:
    """Modality and reason from the values. `count` cells are not empty, `distinct` of them differ."""
    if not present:
        return "ignore", "it has no values"
    if distinct == 1 and count > 1:
        return "ignore", f"every cell holds {shown(present[0], 40)}"
    if _pictures(present):
        return "image", "its cells are pictures" if not isinstance(present[0], str) else "its cells name picture files"
    if isinstance(present[0], list | dict | bytes) or not isinstance(present[0], SINGLE):
        return "ignore", f"its cells are {type(present[0]).__name__}s, which no type covers"
    unique = distinct == count and count >= 20
    if pa.types.is_boolean(kind):
        return "category", "it is true or false"
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        what = "durations" if pa.types.is_duration(kind) else "times of day"
        return "number", f"its cells are {what}, taken as seconds"
    if pa.types.is_temporal(kind) or (forms.date.form is not None and _all(present, as_date, forms.date.form)):
        return "date", "its cells are dates" + _told(forms.date.form)
    if forms.number.form is not None and _all(present, as_number, forms.number.form):
        numbers = [as_number("", value, number_form(forms.written("number"))) for value in present]
        if unique and all(n.is_integer() for n in numbers[:1000]) and (ID_NAME.search(name) or _counts_up(numbers)):
            return "ignore", "its values are unique ids"
        if not are_codes([as_text(value) for value in present], count, distinct):
            return "number", "its cells are numbers" + _told(forms.number.form)
        reason = f"its {distinct:,} values are codes, such as {_code_like(present)}; --type {name}=number reads them so"
        return ("category" if distinct <= max(20, count // 5) else "text"), reason
    words = float(np.mean([len(str(value).split()) for value in present]))
    if unique and words < 1.5 and (ID_NAME.search(name) or _codes(present)):
        return "ignore", "its values are unique ids"
    hint = _odd_cells(name, present, forms)
    if hint:
        return "category" if distinct <= max(20, count // 5) else "text", hint
    if words < 4 and distinct <= max(20, count // 5) and distinct < count:
        return "category", f"{distinct:,} distinct short values in {count:,} cells"
    return "text", f"{words:.1f} words a cell, {distinct:,} distinct"


def _told(form: NumberForm | DateForm | None) -> str:
    words = form.describe() if form is not None else ""
    return f" ({words})" if words else ""


def _code_like(present: Sequence[Any]) -> str:
    """A value that tells codes from numbers."""
    texts = [as_text(value).strip() for value in present]
    return next((repr(text) for text in texts if re.fullmatch(r"[+-]?0\d+|.*\.\d*0", text)), repr(texts[0]))


def _pictures(present: list[Any]) -> bool:
    def is_picture(value: Any) -> bool:
        if isinstance(value, list):
            return bool(value) and all(is_picture(item) for item in value)
        if isinstance(value, dict):
            return "bytes" in value or "path" in value
        if isinstance(value, bytes):
            return value[:3] == b"\xff\xd8\xff" or value[:4] in (b"\x89PNG", b"GIF8", b"RIFF", b"BM")
        parts = str(value).split(LIST_SEPARATOR)
        return all(Path(part.strip()).suffix.lower() in picture_suffixes() for part in parts if part.strip())

    return sum(map(is_picture, present)) >= 0.9 * len(present)


def _all(present: list[Any], parse: Callable[..., Any], form: NumberForm | DateForm) -> bool:
    """Every cell parses; a date must be more than a number (20260101 is one to Python)."""
    try:
        for value in present:
            if isinstance(value, bool) or (isinstance(form, DateForm) and isinstance(value, int | float)):
                return False
            if isinstance(form, DateForm) and isinstance(value, str) and value.strip().isdigit():
                return False
            parse("", value, form)
    except PlaitError:
        return False
    return True


def _counts_up(present: Sequence[float]) -> bool:
    steps = np.diff(np.array(present, dtype=np.float64))
    return bool(len(steps) and np.all(steps > 0) and np.all(steps == steps[0]))


def _codes(present: list[Any]) -> bool:
    """Strings such as `A-00017` or a hash: one word, of one length, with digits in most."""
    texts = [str(value) for value in present]
    return len({len(text) for text in texts}) <= 3 and sum(any(c.isdigit() for c in t) for t in texts) > 0.7 * len(
        texts
    )


def _odd_cells(name: str, present: list[Any], forms: Forms) -> str | None:
    """Why a column that is mostly numbers or dates is typed as neither, and what to type."""
    if forms.number.hint or forms.date.hint:
        return forms.number.hint or forms.date.hint
    for what, parse, plain_form in (("numbers", as_number, PLAIN), ("dates", as_date, ISO)):
        odd = [value for value in present if not _all([value], parse, plain_form)]
        if odd and len(odd) <= ODD * len(present):
            kind = what.removesuffix("s")
            return (
                f"most cells are {what}, but {len(odd)} of {len(present)} are not, such as {shown(odd[0], 30)}; "
                f"correct or empty them, or train with --type {name}={kind} --on-error missing"
            )
    return None


def save_schema(schema: Schema, path: Path) -> None:
    """Write a schema as JSON, whole or not at all.

    Raises:
        RunError: it can't be written.
    """
    write_json(path, [asdict(column) for column in schema.values()])


def load_schema(path: Path) -> Schema:
    """Read what `save_schema` wrote.

    Raises:
        RunError: absent or damaged.
    """
    columns: list[Column] = read_json(path, list[Column])
    if not columns:
        raise RunError(f"{path}: expected the columns of a table, found none")
    return {column.name: column for column in columns}


def split_cell(value: Any) -> Sequence[Any]:
    """The values of a picture cell: a list, `a.jpg;b.jpg`, one path, bytes, or Hugging Face's {bytes, path}.

    >>> split_cell("a.jpg; b.jpg"), split_cell(None)
    (['a.jpg', 'b.jpg'], [])
    """
    if isinstance(value, list | tuple | np.ndarray):
        return [part for item in value for part in split_cell(item)]
    if isinstance(value, dict):
        known = "bytes" in value or "path" in value
        return split_cell(value.get("bytes") or value.get("path")) if known else [str(value)[:80]]
    if isinstance(value, str):
        return [part.strip() for part in value.split(LIST_SEPARATOR) if part.strip()]
    return [] if is_missing(value) else [value]
