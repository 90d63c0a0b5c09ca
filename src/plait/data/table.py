"""A table of any length: memory-mapped Arrow behind `column` and `cells`."""

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.data.frames import columns_of
from plait.errors import DataError, unknown
from plait.files.atomic import ADVICE, FULL, why


class Table:
    """Rows and named columns; cells are read on demand, so memory does not grow with the rows.

    Args:
        data: the columns.
        root: the folder that relative media paths start from; None where paths are relative to nothing.
        source: what messages call the table.
        untyped: every cell is text because the file says no more, so that "1" is an integer to whoever wrote it.
        categorical: columns that their program calls categories.
        uncovered: column whose values no modality covers → why; its cells are empty here.

    >>> table = Table.from_frame(pd.DataFrame({"colour": ["red", None]}))
    >>> len(table), table.cells("colour", [1, 0])
    (2, [None, 'red'])
    """

    def __init__(
        self,
        data: pa.Table,
        root: Path | None,
        source: str,
        *,
        untyped: bool = False,
        categorical: Collection[str] = (),
        uncovered: Mapping[str, str] | None = None,
    ) -> None:
        self.data = _usual_types(data, source)
        self.root = root
        self.source = source
        self.untyped = untyped
        self.categorical = frozenset(categorical)
        self.uncovered = dict(uncovered or {})
        self._positions = {name: position for position, name in enumerate(data.column_names)}

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, root: Path | str | None = None, source: str = "the frame") -> "Table":
        """A pandas frame; a column of mixed texts and numbers becomes text.

        Raises:
            DataError: two columns have one name, or an array can't be an image.
        """
        columns, uncovered, categorical = columns_of(frame)
        folder = None if root is None else Path(root)
        return cls(pa.table(columns), folder, source, categorical=categorical, uncovered=uncovered)

    def with_data(self, data: pa.Table) -> "Table":
        """Other rows of the same table, or more columns beside its own."""
        return Table(
            data,
            self.root,
            self.source,
            untyped=self.untyped,
            categorical=self.categorical,
            uncovered=self.uncovered,
        )

    @classmethod
    def from_batches(
        cls,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        root: Path | None,
        source: str,
        *,
        untyped: bool = False,
        categorical: Collection[str] = (),
    ) -> "Table":
        """Stream record batches through a temporary file and map it; the file goes with the table.

        Raises:
            DataError: the temporary folder is full or not writable, or the table can't be read to its end.
        """
        try:
            handle, name = tempfile.mkstemp(prefix="plait-", suffix=".arrow")
            os.close(handle)
            try:
                with pa.OSFile(name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                    for batch in batches:
                        writer.write(batch)
                data = pa.ipc.open_file(pa.memory_map(name)).read_all()
            finally:
                Path(name).unlink()  # the mapping keeps the bytes until the table goes
        except pa.ArrowInvalid:
            raise
        except OSError as error:
            reason, number = why(error)
            folder = tempfile.gettempdir()
            if number in FULL:
                message = f"no room to unpack the table in {folder} ({reason}); free some, or point TMPDIR elsewhere"
            elif number in ADVICE:
                message = f"the table can't be unpacked in {folder} ({reason}); point TMPDIR elsewhere"
            else:
                message = f"the table can't be read ({reason})"
            raise DataError(f"{source}: {message}") from error
        return cls(data, root, source, untyped=untyped, categorical=categorical)

    def __len__(self) -> int:
        return self.data.num_rows

    def __contains__(self, name: object) -> bool:
        return name in self._positions

    @property
    def columns(self) -> list[str]:
        return list(self._positions)

    def take(self, rows: np.ndarray) -> "Table":
        """Some rows as a table of their own."""
        return self.with_data(self.data.take(pa.array(rows)))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self._positions:
            raise DataError(f"{self.source}: {unknown('column', name, self._positions)}")
        return self.data.column(self._positions[name])

    def cells(self, name: str, rows: Sequence[int] | np.ndarray) -> list[Any]:
        """Cells of one column as Python values, in the order of `rows`; lists of records of numbers as NumPy's
        structured arrays.

        Raises:
            DataError: a cell holds what Python has no value for, such as a date after the year 9999.
        """
        column = self.column(name)
        cells = column.chunk(0) if column.num_chunks == 1 else column  # of several, each row's has to be looked up
        try:
            if are_records(column.type):
                return [_records(cells[int(row)]) for row in rows]
            return [cells[int(row)].as_py() for row in rows]
        except (ValueError, OverflowError, pa.ArrowException) as error:
            raise self._unreadable(name, rows, error) from error

    def _unreadable(self, name: str, rows: Iterable[int], error: Exception) -> DataError:
        """The first of some cells that Python has no value for, in words."""
        column = self.column(name)
        for row in rows:
            try:
                column[int(row)].as_py()
            except (ValueError, OverflowError, pa.ArrowException):
                return DataError(
                    f"{self.source}: row {int(row) + 1}, column {name!r}: this {column.type} lies outside of what can "
                    f"be read ({str(error).splitlines()[0][:80]}); correct it, or leave the column out"
                )
        return DataError(f"{self.source}: column {name!r} can't be read ({error})")

    def iterate(self, name: str, rows: np.ndarray | None = None, size: int = 65_536) -> Iterator[Any]:
        """Cells of one column, read a part at a time."""
        if rows is None:
            rows = np.arange(len(self))
        for start in range(0, len(rows), size):
            yield from self.cells(name, rows[start : start + size])

    def codes(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """`[rows]` int64 code of each cell and the distinct values; -1 where a cell is empty."""
        column = self.column(name)
        if pa.types.is_nested(column.type):
            column = pa.chunked_array([pa.array([cell_key(value) for value in self.iterate(name)], pa.string())])
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], column.type).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, encoded.dictionary.to_pylist()


def are_records(kind: pa.DataType) -> bool:
    """Whether a column holds lists of records whose fields are all numbers or moments.

    >>> are_records(pa.list_(pa.struct({"time": pa.timestamp("us"), "pulse": pa.float64()})))
    True
    """
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not listed or not pa.types.is_struct(kind.value_type) or not kind.value_type.num_fields:
        return False
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_timestamp)
    return all(any(test(field.type) for test in tests) for field in kind.value_type)


def _records(cell: Any) -> np.ndarray | None:
    """A list of records as a structured array, without a Python object a step; what is null is NaN or NaT."""
    if not cell.is_valid:
        return None
    steps = cell.values
    fields = dict(zip((field.name for field in steps.type), steps.flatten(), strict=True))
    columns = {name: values.to_numpy(zero_copy_only=False) for name, values in fields.items()}
    # A field of booleans with a null comes as objects.
    columns = {name: x.astype(np.float64) if x.dtype == object else x for name, x in columns.items()}
    made = np.empty(len(steps), [(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        made[name] = values
    return made


def cell_key(value: Any) -> str | None:
    """A text by which nested cells are told apart; None for an empty one."""
    if isinstance(value, np.ndarray):
        return hashlib.blake2b(value.tobytes(), digest_size=16).hexdigest()
    return None if value is None else str(value)


def _usual_types(data: pa.Table, source: str) -> pa.Table:
    """Columns in types that every reader of cells knows: no dictionaries, views, or halves of floats.

    Raises:
        DataError: two columns have one name.
    """
    names = data.column_names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{source}: two columns have the name {twice!r}; rename one")
    types = [usual_type(field.type) for field in data.schema]
    if all(kind == field.type for kind, field in zip(types, data.schema, strict=True)):
        return data
    columns = []
    for name, kind in zip(names, types, strict=True):
        column = data.column(name)
        if isinstance(column.type, pa.BaseExtensionType):
            chunks = [chunk.storage for chunk in column.chunks]
            column = pa.chunked_array(chunks, column.type.storage_type)
        columns.append(column if column.type == kind else column.cast(kind))
    return pa.table(columns, names=names)


def usual_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column is kept in.

    >>> usual_type(pa.dictionary(pa.int8(), pa.string())), usual_type(pa.string_view())
    (DataType(string), DataType(large_string))
    """
    if isinstance(kind, pa.BaseExtensionType):
        return usual_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return usual_type(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return pa.large_list(usual_type(kind.value_type))
    if pa.types.is_float16(kind):
        return pa.float32()
    return kind
