"""Tables: cells, codes, rows in order."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import DataError


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_mixed_types_survive(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "t.csv", "a\n1\nx\n2.5\n"))
    assert table.cells("a", [0, 1, 2]) == ["1", "x", "2.5"]
    frame = Table.from_frame(pd.DataFrame({"a": [1, "x", None, 2.5]}))
    assert frame.cells("a", [0, 1, 2, 3]) == ["1", "x", None, "2.5"]


def test_codes_and_iterate(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "t.csv", "a,b\nx,1\n,2\ny,3\nx,4\n"))
    codes, values = table.codes("a")
    assert codes.tolist() == [0, -1, 1, 0] and values == ["x", "y"]
    assert list(table.iterate("b", np.array([3, 0]))) == ["4", "1"]
    assert list(table.iterate("b", size=2)) == ["1", "2", "3", "4"]
    with pytest.raises(DataError, match="unknown column 'bb'; did you mean 'b'"):
        table.column("bb")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "no room to unpack the table"),
        (PermissionError(13, "Permission denied"), "can't be unpacked in"),
        (OSError("Couldn't deserialize thrift: TProtocolException"), "can't be read (Couldn't deserialize thrift"),
    ],
)
def test_only_a_full_disk_is_called_full(error: OSError, said: str) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        raise error
        yield

    with pytest.raises(DataError) as caught:
        Table.from_batches(pa.schema([("a", pa.int64())]), batches(), Path(), "t.parquet")
    assert said in str(caught.value) and ("room" in str(caught.value)) == (error.errno == 28)
