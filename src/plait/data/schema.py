"""What each column is, and why: typed from its values, overridden by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait import former_names
from plait.data.table import Table, cell_key
from plait.errors import DataError, RunError, unknown
from plait.files.atomic import write_json
from plait.files.reading import read_json
from plait.modalities import MODALITIES, Sample, recognised
from plait.values import is_missing, shown

IGNORE = "ignore"  # the type of a column that is no input
SAMPLE = 5_000  # cells that are looked at; counts of missing and distinct cells are over all
SEVERAL = "; several in a cell are a set without order"
GROUP = "the group"


@dataclass(frozen=True)
class Column:
    """A column's type and the reason for it.

    Args:
        name: as in the table.
        modality: one of `plait.modalities.MODALITIES`, or `ignore`.
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
            of images.
        decimal: the mark before the fraction of numbers that are texts, where the user says so.

    Raises:
        DataError: an override names a column or a modality that does not exist, or a column that it can't be.
    """
    overrides = overrides or {}
    for name, modality in overrides.items():
        table.column(name)
        if modality not in MODALITIES and modality != IGNORE:
            raise DataError(f"--type {name}={modality}: {unknown('type', modality, [*MODALITIES, IGNORE])}")
        if name in table.uncovered and modality != IGNORE:
            raise DataError(f"{table.source}: column {name!r} can't be {modality}: {table.uncovered[name]}")
    roles = roles or {}
    for name, role in roles.items():
        if name in table.uncovered:
            raise DataError(f"{table.source}: column {name!r} can't be {role}: {table.uncovered[name]}")
    return {name: _typed(table, name, overrides.get(name), roles.get(name), decimal) for name in table.columns}


def _typed(table: Table, name: str, override: str | None, role: str | None, decimal: str | None) -> Column:
    rows = len(table)
    sample, missing = sample_of(table, name, decimal)
    if override is not None and role is None:
        modality, reason = override, "as you said"
        _check_override(table, name, override, sample.values)
    elif name in table.uncovered:
        modality, reason = IGNORE, table.uncovered[name]
    else:
        modality, reason = _guess(sample)
    kind = MODALITIES.get(modality)
    if role == GROUP and kind is not None and kind.shared:
        reason += f"; it is {role} too"  # rows that share an image belong together, and still show it
    elif role is not None:
        modality, reason, kind = IGNORE, f"it is {role}", None
    many = any(isinstance(value, list) for value in sample.values[:100]) and not (kind is not None and kind.lists)
    if kind is not None and kind.several:
        many = many or any(isinstance(value, str) and len(kind.pieces(value)) > 1 for value in sample.values)
        reason += SEVERAL if many else ""
    form = None if kind is None else kind.form(sample)
    return Column(name, modality, reason, rows, missing, sample.distinct, many, form)


def sample_of(table: Table, name: str, decimal: str | None = None) -> tuple[Sample, int]:
    """What a column is recognised by, and how many of its cells are empty."""
    column = table.column(name)
    present = [value for value in sampled(table, name) if not is_missing(value)]
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        distinct = len({cell_key(value) for value in present})
    else:
        distinct = pc.count_distinct(column, mode="only_valid").as_py()
    missing = len(column) - len(present) if len(column) <= SAMPLE else column.null_count
    count = len(column) - missing
    categorical = name in table.categorical and distinct < count
    return Sample(name, present, count, distinct, _declared(column.type), categorical, decimal), missing


def _declared(kind: pa.DataType) -> str:
    """What a column's own type says of its cells; see `Sample`."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return "duration" if pa.types.is_duration(kind) else "time"
    return "moment" if pa.types.is_temporal(kind) else ""


def _check_override(table: Table, name: str, modality: str, present: Sequence[Any]) -> None:
    """Refuse lists and objects as what only single values can be: the text of their `repr` is nothing to learn from."""
    odd = next((value for value in present if isinstance(value, list | dict)), None)
    if odd is not None and modality in MODALITIES and not (MODALITIES[modality].several or MODALITIES[modality].lists):
        raise DataError(
            f"{table.source}: column {name!r} can't be {modality}: its cells are {type(odd).__name__}s, such as "
            f"{shown(odd, 40)}; give each value a column of its own"
        )


def sampled(table: Table, name: str) -> list[Any]:
    """Up to `SAMPLE` cells, evenly spaced."""
    rows = np.unique(np.linspace(0, len(table) - 1, min(SAMPLE, len(table))).astype(np.int64))
    return table.cells(name, rows)


def _guess(sample: Sample) -> tuple[str, str]:
    """Modality and reason from the values."""
    if not sample.values:
        return IGNORE, "it has no values"
    if sample.distinct == 1 and sample.count > 1:
        return IGNORE, f"every cell holds {shown(sample.values[0], 40)}"
    match = recognised(sample)
    if match is not None:
        return match
    if not sample.single:
        return IGNORE, f"its cells are {type(sample.values[0]).__name__}s, which no type covers"
    return IGNORE, "its values are unique ids"


def save_schema(schema: Schema, path: Path) -> None:
    """Write a schema as JSON, whole or not at all.

    Raises:
        RunError: it can't be written.
    """
    write_json(path, [asdict(column) for column in schema.values()])


def load_schema(path: Path) -> Schema:
    """Read what `save_schema` wrote.

    Raises:
        RunError: missing or damaged.
    """
    columns: list[Column] = read_json(path, list[Column])
    if not columns:
        raise RunError(f"{path}: expected the columns of a table, found none")
    return {column.name: column for column in columns}


__getattr__ = former_names(__name__, {"split_cell": "plait.modalities.media.split_cell"})
