"""Long tables: the rows (id, time, channel, …) of a second table as one series in each row of a first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from plait.data.table import Table
from plait.errors import DataError, nearest
from plait.processors.series_cells import moments
from plait.values import as_number, as_text, is_missing

TIME = "time"  # what a series calls the moment of a step
SHOWN = 3  # ids that a message names
ZONE = re.compile(r"\d:\d\d.*(Z|[+-]\d\d:?\d\d)$")  # at the end of a moment in text
WHOLE = re.compile(r"^(-?\d+)\.0+$")  # an integer that some program wrote as a float, beside empty cells


@dataclass(frozen=True)
class Joined:
    """A table with one more column, and what did not join.

    Args:
        table: the first table; the new column holds lists of records, in the order of their times.
        name: of the new column.
        steps: rows of the second table that are in it.
        without: ids of the first table that have no step.
        unused: ids of the second table that no row has.
        untimed: rows of the second table without a time or an id, which are left out.
    """

    table: Table
    name: str
    steps: int
    without: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    untimed: int = 0

    def describe(self) -> list[str]:
        """What a user should know of it, a line each."""
        lines = [f"{self.name}: {self.steps:,} steps in {len(self.table):,} rows"]
        if self.without:
            lines.append(f"{len(self.without):,} rows have no step ({_some(self.without)}); they lack the series")
        if self.unused:
            lines.append(f"{len(self.unused):,} ids of the series are in no row ({_some(self.unused)}); left out")
        if self.untimed:
            lines.append(f"{self.untimed:,} rows of the series have no id or no time; left out")
        return lines


def join_series(
    table: Table,
    steps: Table,
    *,
    id: str,
    time: str,
    channels: Sequence[str] | None = None,
    name: str = "series",
    before: str | None = None,
    last: float | None = None,
) -> Joined:
    """The rows of a long table as a series in each row of a table, by a column that both have.

    Nothing is interpolated, and equal times stay. Ids are compared as values: 7, 7.0 and "7" are one.

    Args:
        table: a row each.
        steps: a row each step.
        id: column of both.
        time: column of `steps`: seconds, or moments.
        channels: columns of `steps` to keep; all others but `id` and `time` where it is None.
        name: of the new column.
        before: column of `table` with a moment: a row's series holds the steps up to it and none after, so that a
            forecast does not see what it is to say.
        last: with `before`, seconds before that moment that a series begins at.

    Raises:
        DataError: a column is missing, the name is taken, no id joins, or a cell is no number or moment.

    >>> import pandas as pd
    >>> rows = Table.from_frame(pd.DataFrame({"who": ["a", "b", "c"]}))
    >>> steps = Table.from_frame(pd.DataFrame({"who": ["a", "b", "a"], "time": [5.0, 1.0, 2.0], "pulse": [60, 71, 64]}))
    >>> joined = join_series(rows, steps, id="who", time="time")
    >>> joined.table.cells("series", [0])[0]["pulse"].tolist(), joined.without
    ([64.0, 60.0], ['c'])
    """
    for one, wanted in ((table, id), (steps, id), (steps, time), *((steps, c) for c in channels or ())):
        _need(one, wanted)
    if name in table:
        raise DataError(f"{table.source}: has a column {name!r} already; name the series otherwise (--name)")
    if last is not None and before is None:
        raise DataError("last: counts back from a moment in each row; name its column with before (--before COLUMN)")
    chosen = list(channels or (column for column in steps.columns if column not in (id, time)))
    if TIME in chosen and time != TIME:
        raise DataError(
            f"{steps.source}: the channel {TIME!r} would be taken for the moment of a step, which is in {time!r}; "
            "leave it out with --channels, or rename it"
        )
    if not chosen:
        raise DataError(f"{steps.source}: expected a column of numbers beside {id} and {time}")

    keys, positions = _ids(steps, id)
    times, is_moment = _times(steps, time)
    fields = {column: _numbers(steps, column) for column in chosen}
    kept = np.flatnonzero((positions >= 0) & np.isfinite(times))
    order = kept[np.lexsort((times[kept], positions[kept]))]
    times, positions = times[order], positions[order]
    fields = {column: values[order] for column, values in fields.items()}

    own_keys, rows = _ids(table, id)
    place = {key: number for number, key in enumerate(keys)}
    wanted = np.array([place.get(key, -1) for key in own_keys] + [-1], dtype=np.int64)[rows]
    begin = np.searchsorted(positions, wanted, "left")
    end = np.searchsorted(positions, wanted, "right")
    end = np.where(wanted < 0, begin, end)
    if len(own_keys) and not (set(own_keys) & set(keys)):
        raise DataError(
            f"no {id} of {table.source} ({_some(own_keys)}) is in {steps.source} ({_some(keys)}); name the column that "
            "both have"
        )
    if before is not None:
        begin, end = _until(table, before, times, is_moment, begin, end, last, steps, time)

    taken = np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)] or [np.empty(0, np.int64)])
    taken = taken.astype(np.int64)
    stamps = pa.array((times[taken] * 1e6).round().astype("datetime64[us]")) if is_moment else pa.array(times[taken])
    columns = [stamps, *(pa.array(values[taken], from_pandas=True) for values in fields.values())]
    records = pa.StructArray.from_arrays(columns, [TIME, *chosen])
    offsets = np.concatenate([[0], np.cumsum(end - begin)])
    empty = np.append(end == begin, False)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64(), mask=empty), records)
    without = [as_text(cell) for cell in table.iterate(id, np.flatnonzero(end == begin))]
    return Joined(
        table.with_data(table.data.append_column(name, lists)),
        name,
        len(taken),
        without,
        [key for key in keys if key not in set(own_keys)],
        len(steps) - len(kept),
    )


def _until(
    table: Table,
    before: str,
    times: np.ndarray,
    is_moment: bool,
    begin: np.ndarray,
    end: np.ndarray,
    last: float | None,
    steps: Table,
    time: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The part of each row's steps that lies before its moment; nothing where it has none."""
    _need(table, before)
    limits, moments_too = _times(table, before)
    if _zoned(table, before) != _zoned(steps, time):
        raise DataError(f"of {before} and {time} one has a time zone and the other has none; give both one, or neither")
    if moments_too != is_moment:
        kinds = ["moments" if moment else "numbers" for moment in (moments_too, is_moment)]
        raise DataError(f"{before} holds {kinds[0]} and {time} {kinds[1]}; both have to be of one kind")
    first, stop = begin.copy(), end.copy()
    for row, limit in enumerate(limits):
        own = times[begin[row] : end[row]]
        stop[row] = begin[row] + (np.searchsorted(own, limit, "right") if np.isfinite(limit) else 0)
        if last is not None:
            first[row] = begin[row] + np.searchsorted(own, limit - last, "left")
    return np.minimum(first, stop), stop


def _need(table: Table, name: str) -> None:
    if name not in table:
        raise DataError(f"{table.source}: there is no column {name!r}{nearest(name, table.columns)}")


def _ids(table: Table, name: str) -> tuple[list[str], np.ndarray]:
    """Distinct ids as texts, and the position of each row's among them; -1 where it has none."""
    codes, values = table.codes(name)
    texts = ["" if is_missing(value) else WHOLE.sub(r"\1", as_text(value).strip()) for value in values]
    distinct = list(dict.fromkeys(text for text in texts if text))
    place = {text: number for number, text in enumerate(distinct)}
    of_code = np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    return distinct, of_code[codes]


def _times(table: Table, name: str) -> tuple[np.ndarray, bool]:
    """`[rows]` float64 seconds, NaN where a cell is empty; and whether they are moments."""
    column = table.column(name)
    if pa.types.is_temporal(column.type):
        stamps = (
            column.cast(pa.timestamp("us", getattr(column.type, "tz", None))).to_pandas().to_numpy("datetime64[us]")
        )
        return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6), True
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.to_pandas().to_numpy(np.float64), False
    cells = ["" if is_missing(cell) else str(cell) for cell in table.iterate(name)]
    try:
        first = next((cell for cell in cells if cell), "")
        return moments(name, cells), not _is_number(first)
    except DataError as error:
        for row, cell in enumerate(cells):
            try:
                moments(name, [cell])
            except DataError:
                message = f"expected seconds or an ISO moment, got {cell[:40]!r}"
                raise DataError(f"{table.source}: row {row + 1}, column {name!r}: {message}") from error
        raise DataError(f"{table.source}: column {name!r}: {error}") from error


def _zoned(table: Table, name: str) -> bool:
    """Whether a column's moments have a time zone; of texts, whether the first one says so."""
    column = table.column(name)
    if pa.types.is_temporal(column.type):
        return getattr(column.type, "tz", None) is not None
    first = next((str(cell).strip() for cell in table.iterate(name) if not is_missing(cell)), "")
    return bool(ZONE.search(first))


def _is_number(text: str) -> bool:
    try:
        as_number("", text)
    except DataError:
        return False
    return True


def _numbers(table: Table, name: str) -> np.ndarray:
    """`[rows]` float64, NaN where a cell is empty."""
    column = table.column(name)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return column.to_pandas().to_numpy(np.float64, na_value=np.nan)
    values = np.empty(len(table))
    for row, cell in enumerate(table.iterate(name)):
        try:
            values[row] = np.nan if is_missing(cell) else as_number(name, cell)
        except DataError as error:
            advice = "correct it, or name the columns of numbers with --channels"
            raise DataError(f"{table.source}: row {row + 1}: {error}; {advice}") from error
    return values


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
