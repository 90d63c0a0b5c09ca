"""The order of rows in time, as a column tells it."""

import datetime
from typing import Any

import numpy as np

from plait.data.table import Table
from plait.errors import DataError
from plait.values import as_date, as_number, is_missing, read_dates, read_numbers


def moments(table: Table, name: str) -> np.ndarray:
    """`[N]` int64 ranks of a column's dates or numbers: the earliest is 0, equal cells have one rank.

    Raises:
        DataError: a cell is empty or is neither, or the column mixes dates with and without a time zone.
    """
    cells = list(table.iterate(name))
    empty = next((row for row, cell in enumerate(cells) if is_missing(cell)), None)
    if empty is not None:
        raise DataError(f"{table.source}: row {empty + 1}, column {name!r}: the time is empty; fill it")
    values = [
        _value(table, name, row, cell, read) for read in [_reader(table, name, cells)] for row, cell in enumerate(cells)
    ]
    zoned = {value.tzinfo is not None for value in values if isinstance(value, datetime.datetime)}
    if len(zoned) > 1:
        raise DataError(
            f"{table.source}: column {name!r}: some times have a zone and some have none; give all of them one"
        )
    order = {value: rank for rank, value in enumerate(sorted(set(values)))}
    return np.array([order[value] for value in values], dtype=np.int64)


def _reader(table: Table, name: str, cells: list[Any]) -> Any:
    """What reads one cell: as a date, or as a number, in the form that all texts of the column share."""
    if not all(isinstance(cell, str) for cell in cells):
        return as_date if any(isinstance(cell, datetime.date) for cell in cells) else as_number
    dates, numbers = read_dates(cells), read_numbers(cells)
    if dates.form is not None:
        return lambda column, cell: as_date(column, cell, dates.form)  # type: ignore[arg-type]
    if numbers.form is not None:
        return lambda column, cell: as_number(column, cell, numbers.form)  # type: ignore[arg-type]
    hint = dates.hint or numbers.hint or f"such as {cells[0][:40]!r}; write dates as 2026-11-28"
    raise DataError(f"{table.source}: column {name!r}: expected dates or numbers that order the rows, got {hint}")


def _value(table: Table, name: str, row: int, cell: Any, read: Any) -> Any:
    try:
        value = read(name, cell)
    except DataError as error:
        raise DataError(f"{table.source}: row {row + 1}: {error}") from error
    if isinstance(value, float) and not np.isfinite(value):
        raise DataError(f"{table.source}: row {row + 1}, column {name!r}: the time is infinite")
    return value
