"""Rows that come into an index, once each."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from plait.errors import DataError, RunError
from plait.search import Query, Searcher, index_table
from plait.search.indexing import describe


def test_only_new_rows_are_added(squares: Path, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.lance"
    frame = pd.read_csv(squares / "squares.csv")
    for name in frame["photo"]:
        shutil.copy(squares / name, tmp_path / name)
    frame[:40].to_csv(tmp_path / "first.csv", index=False)
    first = index_table(squares / "pairs", tmp_path / "first.csv", path, verbose=False)
    changed = pd.concat([frame, frame[:3]])  # three come twice
    changed.loc[changed["photo"] == "0.png", "price"] = 99.0
    changed.to_csv(tmp_path / "second.csv", index=False)
    second = index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False)
    assert (first.added, second.added, second.known, second.rows) == (40, 25, 42, 65)
    again = index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False)
    assert (again.added, again.rows) == (0, 65)
    Image.new("RGB", (24, 24), (9, 9, 9)).save(tmp_path / "5.png")  # the same path, another image
    assert index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False).added == 1


def test_a_index_keeps_its_side(squares: Path, tmp_path: Path) -> None:
    path, table = tmp_path / "titles.lance", squares / "squares.csv"
    assert index_table(squares / "pairs", table, path, side="title", verbose=False).rows == 64
    again = index_table(squares / "pairs", table, path, verbose=False)  # the same side without a word
    assert (again.rows, again.without, again.known) == (64, 0, 64)
    with pytest.raises(RunError, match="holds vectors of title, not of photo"):
        index_table(squares / "pairs", table, path, side="photo", verbose=False)


def test_rows_without_a_picture_are_left_out(squares: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(squares / "squares.csv")
    for name in frame["photo"]:
        shutil.copy(squares / name, tmp_path / name)
    frame.loc[3:5, "photo"] = None
    frame.to_csv(tmp_path / "some.csv", index=False)
    found = index_table(squares / "pairs", tmp_path / "some.csv", tmp_path / "some.lance", verbose=False)
    assert (found.rows, found.without) == (61, 3)


def test_folders_that_are_no_index(squares: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected an index"):
        Searcher(tmp_path)
    (tmp_path / "catalogue.json").write_text("{")
    with pytest.raises(RunError, match="not JSON"):
        Searcher(tmp_path)
    (tmp_path / "catalogue.json").unlink()
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="no index"):
        index_table(squares / "pairs", squares / "squares.csv", tmp_path, verbose=False)


def test_a_first_write_that_was_killed_blocks_nothing(squares: Path, tmp_path: Path, index: Path) -> None:
    path = tmp_path / "killed.lance"
    shutil.copytree(index, path)
    for manifest in (path / "rows.lance" / "_versions").iterdir():
        manifest.unlink()
    with pytest.raises(RunError, match="the index is empty; run plait index again"):
        Searcher(path)
    found = index_table(squares / "pairs", squares / "squares.csv", path, "title", verbose=False)  # another side, even
    assert (found.rows, found.added) == (64, 64) and Searcher(path).search(Query("a red square"), 1)


def test_a_mistake_leaves_no_index(squares: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(squares / "squares.csv").assign(photo=None)
    with pytest.raises(DataError, match="nothing to index"):
        index_table(squares / "pairs", frame, tmp_path / "none.lance", verbose=False)
    assert list(tmp_path.iterdir()) == []


def test_columns_that_a_later_table_adds_or_lacks_are_said(squares: Path, tmp_path: Path) -> None:
    table = pd.read_csv(squares / "squares.csv")
    path = tmp_path / "later.lance"
    index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    table.rename(columns={"price": "cost"}).to_csv(squares / "later.csv", index=False)
    found = index_table(squares / "pairs", squares / "later.csv", path, verbose=False)
    assert (found.left_out, found.lacking, found.added) == (("cost",), ("price",), 64)
    assert "its first table gave: cost; not in this table, so empty in its rows: price" in describe(found, path)
