import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from plait.data.readers import open_table
from plait.errors import DataError


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_csv_is_read_as_text_with_empty_cells_as_none(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "t.csv", 'a,b,c\n1,"x, y",NA\n007,"two\nlines",\n'))
    assert [table.cells(name, [0, 1]) for name in "abc"] == [["1", "007"], ["x, y", "two\nlines"], [None, None]]
    assert table.root == tmp_path and len(table) == 2


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert open_table(write(tmp_path / "t.csv", b"\xef\xbb\xbfname,b\n1,2\n")).columns == ["name", "b"]
    assert open_table(write(tmp_path / "t.jsonl", b'\xef\xbb\xbf{"name": 1}\n')).columns == ["name"]


def test_tsv(tmp_path: Path) -> None:
    assert open_table(write(tmp_path / "t.tsv", "a\tb\n1,5\tx\n")).cells("a", [0]) == ["1,5"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", "", "the file is empty"),
        ("t.csv", "a,b\n", "the table has no rows"),
        ("t.csv", "a,b\n1,2\n3,4,5\n", r"Row #3: Expected 2 columns, got 3"),
        ("t.csv", 'a,b\n1,2\n3,"4,5\n', r"line 3: expected 2 cells; a quote"),
        ("t.csv", "a,a\n1,2\n", "'a' stands twice"),
        ("t.csv", b"a\n\xff\xfe\x00\n", "damaged"),
        ("t.jsonl", '{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("t.jsonl", "[1]\n", "line 1: expected an object"),
        ("t.parquet", b"PAR1 not really", "damaged"),
        ("t.xlsx", b"x", "expected a table"),
    ],
)
def test_bad_files_get_one_line(tmp_path: Path, name: str, data: str | bytes, message: str) -> None:
    path = write(tmp_path / name, data)
    with pytest.raises(DataError, match=message) as caught:
        open_table(path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"no such file or folder; did you mean 'train.csv'"):
        open_table(tmp_path / "trian.csv")


def test_ten_thousand_columns(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(10_000))
    table = open_table(write(tmp_path / "t.csv", f"{names}\n" + f"{','.join('1' * 10_000)}\n" * 3))
    assert len(table.columns) == 10_000 and table.cells("c9999", [2]) == ["1"]


def test_parquet_and_jsonl_keep_types_and_lists(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1, 2], "kind": pd.Categorical(["x", "y"]), "photos": [["a.png", "b.png"], []]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.astype({"kind": str}).to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for name in ("t.parquet", "t.jsonl"):
        table = open_table(tmp_path / name)
        assert table.cells("photos", [0, 1]) == [["a.png", "b.png"], []]
        assert table.cells("n", [1]) == [2] and table.cells("kind", [1]) == ["y"]


def test_jsonl_of_mixed_kinds_becomes_text(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"a": "x", "b": True}, {"a": {"k": 1}}]
    table = open_table(write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows))))
    assert table.cells("a", [0, 1, 2]) == ["1", "x", '{"k": 1}'] and table.cells("b", [0, 1]) == [None, True]


def test_hidden_files_are_no_data_but_the_given_folder_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / ".hidden" / "pets"
    for name in ("cat/1.png", "dog/2.png", "cat/.ipynb_checkpoints/1.png", "__MACOSX/cat/3.png", "dog/._2.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    table = open_table(root)
    assert table.cells("label", range(len(table))) == ["cat", "dog"]
    assert "3 hidden images are left out" in capsys.readouterr().err


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "x" * 300 + ".csv", "x" * 300 + ".tar", "a\0b.csv"):
        with pytest.raises(DataError):
            open_table(f"{tmp_path}/{name}")
    with pytest.raises(DataError, match="a pipe or a device"):
        open_table("/dev/null")


def test_whole_numbers_beyond_what_a_float_holds_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 9007199254740993, "m": 1}\n{"n": 1, "m": 2}\n{"n": ' + "9" * 400 + ', "m": 3}\n')
    table = open_table(path)
    assert table.cells("n", [0, 1]) == ["9007199254740993", "1"]
    assert table.cells("m", [0, 2]) == [1.0, 3.0]


def test_parquet_types_that_python_can_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for column in (pa.array([0], pa.timestamp("ns", "Mars/Phobos")), pa.array([2**55], pa.date64())):
        pq.write_table(pa.table({"when": column}), path)
        with pytest.raises(DataError, match="row 1, column 'when': this .* lies outside of what can be read"):
            open_table(path).cells("when", [0])
    pq.write_table(
        pa.table({"a": pa.array(["x"], pa.string_view()), "day": pa.array([0], pa.timestamp("s", "UTC"))}), path
    )
    table = open_table(path)
    assert table.cells("a", [0]) == ["x"] and table.cells("day", [0])[0].year == 1970
