"""A table of any length: memory-mapped Arrow behind `column` and `cells`."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.errors import DataError, unknown


class Table:
    """Rows and named columns; cells are read on demand, so memory does not grow with the rows.

    Args:
        data: the columns.
        root: the folder that relative media paths start from; None where paths are relative to nothing.
        source: what messages call the table.

    >>> table = Table.from_frame(pd.DataFrame({"colour": ["red", None]}))
    >>> len(table), table.cells("colour", [1, 0])
    (2, [None, 'red'])
    """

    def __init__(self, data: pa.Table, root: Path | None, source: str) -> None:
        self.data = data
        self.root = root
        self.source = source
        self._positions = {name: position for position, name in enumerate(data.column_names)}

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, root: Path | str | None = None) -> "Table":
        """A pandas frame; a column of mixed types becomes text."""
        columns = {}
        for name in frame.columns:
            try:
                columns[str(name)] = pa.Array.from_pandas(frame[name])
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # mixed kinds, numbers of more than 64 bits
                columns[str(name)] = pa.array([None if _is_null(v) else str(v) for v in frame[name]], pa.string())
        if len(columns) != len(frame.columns):
            raise DataError("the frame has two columns of one name; rename one")
        return cls(pa.table(columns), None if root is None else Path(root), "the frame")

    @classmethod
    def from_batches(cls, schema: pa.Schema, batches: Iterable[pa.RecordBatch], root: Path, source: str) -> "Table":
        """Stream record batches through a temporary file and map it; the file goes with the table.

        Raises:
            DataError: the temporary folder is full or not writable.
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
            raise DataError(
                f"{source}: no room to unpack the table in {tempfile.gettempdir()} ({error.strerror or error}); "
                "free some, or point TMPDIR elsewhere"
            ) from error
        return cls(data, root, source)

    def __len__(self) -> int:
        return self.data.num_rows

    def __contains__(self, name: object) -> bool:
        return name in self._positions

    @property
    def columns(self) -> list[str]:
        return list(self._positions)

    def take(self, rows: np.ndarray) -> "Table":
        """Some rows as a table of their own."""
        return Table(self.data.take(pa.array(rows)), self.root, self.source)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self._positions:
            raise DataError(f"{self.source}: {unknown('column', name, self._positions)}")
        return self.data.column(self._positions[name])

    def cells(self, name: str, rows: Sequence[int] | np.ndarray) -> list[Any]:
        """Cells of one column as Python values, in the order of `rows`."""
        column = self.column(name)
        if column.num_chunks == 1:  # an index into chunks would be searched a row
            chunk = column.chunk(0)
            return [chunk[int(row)].as_py() for row in rows]
        return [column[int(row)].as_py() for row in rows]

    def iterate(self, name: str, rows: np.ndarray | None = None, size: int = 65_536) -> Iterator[Any]:
        """Cells of one column, held a part at a time."""
        if rows is None:
            for chunk in self.column(name).chunks:
                for start in range(0, len(chunk), size):
                    yield from chunk.slice(start, size).to_pylist()
        else:
            for start in range(0, len(rows), size):
                yield from self.cells(name, rows[start : start + size])

    def codes(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """`[rows]` int64 code of each cell and the distinct values; -1 where a cell is empty."""
        column = self.column(name)
        if pa.types.is_nested(column.type):
            column = pa.chunked_array([pa.array([None if v is None else str(v) for v in self.iterate(name)])])
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], column.type).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, encoded.dictionary.to_pylist()


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
