"""What each column is, and why: typed from its values, overridden by the user."""

import json
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
from plait.processors.image import picture_suffixes
from plait.processors.tabular import as_date, as_number, is_missing
from plait.reading import read_json

MODALITIES = ("text", "image", "number", "category", "date", "ignore")
SAMPLE = 5_000  # cells that are looked at; counts of missing and distinct cells are over all
ID_NAME = re.compile(r"(^|[_\s.-])(id|ids|idx|index|uuid|guid|key|rowid|row_id|unnamed: ?\d+)$", re.IGNORECASE)
LIST_SEPARATOR = ";"
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
    """

    name: str
    modality: str
    reason: str
    rows: int
    missing: int
    distinct: int
    many: bool = False


Schema = dict[str, Column]


def infer_schema(
    table: Table, overrides: Mapping[str, str] | None = None, roles: Mapping[str, str] | None = None
) -> Schema:
    """Type every column.

    Args:
        table: the rows.
        overrides: column → modality, as the user says.
        roles: column → what else it is for (`the target`, `the group`); such columns are no inputs, but for a group
            of pictures.

    Raises:
        DataError: an override names a column or a modality that does not exist.
    """
    overrides = overrides or {}
    for name, modality in overrides.items():
        table.column(name)
        if modality not in MODALITIES:
            raise DataError(f"--type {name}={modality}: {unknown('type', modality, MODALITIES)}")
    roles = roles or {}
    return {name: _typed(table, name, overrides.get(name), roles.get(name)) for name in table.columns}


def _typed(table: Table, name: str, override: str | None, role: str | None) -> Column:
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
    if override is not None and role is None:
        modality, reason = override, "as you said"
    else:
        modality, reason = _guess(name, column.type, present, distinct, rows - missing)
    if role == GROUP and modality == "image":
        reason += f"; it is {role} too"  # rows that share a picture belong together, and still show it
    elif role is not None:
        modality, reason = "ignore", f"it is {role}"
    if modality == "image":
        many = many or any(isinstance(value, str) and LIST_SEPARATOR in value for value in present)
    return Column(name, modality, reason, rows, missing, distinct, many)


def sampled(table: Table, name: str) -> list[Any]:
    """Up to `SAMPLE` cells, evenly spaced."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(SAMPLE, len(table))).astype(np.int64))
    return table.cells(name, rows)


def _guess(name: str, kind: pa.DataType, present: list[Any], distinct: int, count: int) -> tuple[str, str]:
    """Modality and reason from the values. `count` cells are not empty, `distinct` of them differ."""
    if not present:
        return "ignore", "it has no values"
    if distinct == 1 and count > 1:
        return "ignore", f"every cell holds {str(present[0])[:40]!r}"
    if _pictures(present):
        return "image", "its cells are pictures" if not isinstance(present[0], str) else "its cells name picture files"
    if isinstance(present[0], list | dict | bytes):
        return "ignore", f"its cells are {type(present[0]).__name__}s, which no type covers"
    unique = distinct == count and count >= 20
    if pa.types.is_boolean(kind):
        return "category", "it is true or false"
    if pa.types.is_temporal(kind) or _all(present, as_date, numeric=False):
        return "date", "its cells are dates"
    if _all(present, as_number):
        integers = all(float(v).is_integer() for v in present[:1000])
        if unique and integers and (ID_NAME.search(name) or _counts_up(present)):
            return "ignore", "its values are unique ids"
        return "number", "its cells are numbers"
    words = float(np.mean([len(str(value).split()) for value in present]))
    if unique and words < 1.5 and (ID_NAME.search(name) or _codes(present)):
        return "ignore", "its values are unique ids"
    odd = _odd_number(present)
    if odd:
        return "category" if distinct <= max(20, count // 5) else "text", odd
    if words < 4 and distinct <= max(20, count // 5) and distinct < count:
        return "category", f"{distinct:,} distinct short values in {count:,} cells"
    return "text", f"{words:.1f} words a cell, {distinct:,} distinct"


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


def _all(present: list[Any], parse: Callable[[str, Any], Any], numeric: bool = True) -> bool:
    """Every cell parses; a date must not be a bare number (20260101 is one to Python)."""
    try:
        for value in present:
            if isinstance(value, bool) or (not numeric and not _dated(value)):
                return False
            parse("", value)
    except PlaitError:
        return False
    return True


def _dated(value: Any) -> bool:
    return not isinstance(value, str) or bool(re.match(r"\s*\d{4}-\d", value))


def _counts_up(present: list[Any]) -> bool:
    steps = np.diff(np.array([float(value) for value in present]))
    return bool(len(steps) and np.all(steps > 0) and np.all(steps == steps[0]))


def _codes(present: list[Any]) -> bool:
    """Strings such as `A-00017` or a hash: one word, of one length, with digits in most."""
    texts = [str(value) for value in present]
    return len({len(text) for text in texts}) <= 3 and sum(any(c.isdigit() for c in t) for t in texts) > 0.7 * len(
        texts
    )


def _odd_number(present: list[Any]) -> str | None:
    """The reason why a column that is nearly all numbers is not typed so."""
    odd = [value for value in present if not _all([value], as_number)]
    if len(odd) > 0.05 * len(present):
        return None
    return f"most cells are numbers, but {len(odd)} of {len(present)} are not, such as {str(odd[0])[:30]!r}"


def save_schema(schema: Schema, path: Path) -> None:
    """Write a schema as JSON."""
    path.write_text(json.dumps([asdict(column) for column in schema.values()], indent=1), encoding="utf-8")


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
