import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fakes import picture
from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import DataError
from plait.modalities import resolve_media


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


def test_mixed_types_survive(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "t.csv", "a\n1\nx\n2.5\n"))
    assert table.cells("a", [0, 1, 2]) == ["1", "x", "2.5"]
    frame = Table.from_frame(pd.DataFrame({"a": [1, "x", None, 2.5]}))
    assert frame.cells("a", [0, 1, 2, 3]) == ["1", "x", None, "2.5"]


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


def test_image_folder_of_labels_and_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("red", "blue"):
            picture(tmp_path / split / label / "1.png", label)
    table = open_table(tmp_path)
    rows = {tuple(table.cells(name, [i])[0] for name in ("image", "label", "split")) for i in range(4)}
    assert ("train/red/1.png", "red", "train") in rows and len(rows) == 4
    assert resolve_media(table.root, "train/red/1.png").is_file()


def test_image_folder_with_metadata(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "1.png", "red")
    write(tmp_path / "train" / "metadata.csv", "file_name,caption\n1.png,a red thing\n")
    table = open_table(tmp_path)
    assert table.cells("caption", [0]) == ["a red thing"] and table.cells("image", [0]) == ["train/1.png"]
    write(tmp_path / "train" / "metadata.csv", "name,caption\n1.png,a red thing\n")
    with pytest.raises(DataError, match="expected a column file_name"):
        open_table(tmp_path)


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image"):
        open_table(tmp_path)


@pytest.mark.parametrize("value", ["../secret.png", "/etc/passwd", "a/../../b.png"])
def test_paths_stay_in_the_folder(tmp_path: Path, value: str) -> None:
    with pytest.raises(DataError, match="leaves the table's folder"):
        resolve_media(tmp_path, value)
    assert resolve_media(tmp_path, value, allow_outside=True)


def test_links_out_of_the_folder_and_urls_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    write(tmp_path / "secret.png", "x")
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="leaves the table's folder"):
        resolve_media(tmp_path / "inside", "link.png")
    with pytest.raises(DataError, match="got a URL"):
        resolve_media(tmp_path, "https://example.org/a.png")


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
