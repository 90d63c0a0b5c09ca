"""An index on disk: its indices, its folder, its limits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from plait.errors import RunError
from plait.search import Index, Query, Searcher, index_table
from plait.search import searcher as searcher_module


def test_indices_that_were_not_built_are(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, table = tmp_path / "late.lance", squares / "squares.csv"
    monkeypatch.setattr(Index, "build_indices", lambda self, verbose: None)  # stopped before
    index_table(squares / "pairs", table, path, verbose=False)
    monkeypatch.undo()
    assert index_table(squares / "pairs", table, path, verbose=False).added == 0
    assert Searcher(path).search(Query("shop 17", mode="words"), k=1)[0].row["photo"] == "17.png"


def test_an_approximate_index_answers_as_the_exact_one(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("plait.search.index", "plait.search.searcher"):
        monkeypatch.setattr(f"{module}.ANN_FROM", 50)
    index_table(squares / "pairs", squares / "squares.csv", tmp_path / "ann.lance", verbose=False)
    approximate = Searcher(tmp_path / "ann.lance")
    assert approximate.exact is None
    assert any("ivf" in str(index.index_type).lower() for index in approximate.index.table.list_indices())
    monkeypatch.setattr(searcher_module, "ANN_FROM", 100_000)
    exact = Searcher(tmp_path / "ann.lance")
    for words in ("a red square", "big blue"):
        hits = approximate.search(Query(words, where="price >= 1"), k=10)
        expected = exact.search(Query(words, where="price >= 1"), k=10)
        assert len({hit.id for hit in hits} & {hit.id for hit in expected}) >= 9
        assert hits[0].score == pytest.approx(expected[0].score, abs=1e-3)
    assert approximate.search(Query(like=hits[0].id), k=2)


def test_a_full_disk_keeps_what_was_there(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "full.lance"
    monkeypatch.setattr("plait.search.indexing.parts_of", lambda count: iter(np.array_split(np.arange(count), 4)))
    whole = Index.add

    def full(self: Index, rows: pa.Table) -> None:
        if self.table is not None and len(self) >= 32:
            self.table.add = lambda _: (_ for _ in ()).throw(OSError("No space left on device"))
        whole(self, rows)

    monkeypatch.setattr(Index, "add", full)
    with pytest.raises(RunError, match="No space left on device"):
        index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    monkeypatch.setattr(Index, "add", whole)
    found = index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    assert (found.rows, found.added, found.known) == (64, 32, 32)


@pytest.mark.slow
def test_two_that_index_at_once_bring_each_row_once(squares: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plait", "index", squares / "pairs", squares / "squares.csv", "-o", "two.lance"]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    ids = Index(tmp_path / "two.lance").read(["id"]).column("id").to_pylist()
    assert len(ids) == len(set(ids)) == 64


def test_what_is_no_lack_of_space_is_not_called_one(
    index: Path,
) -> None:
    held = Index(index)
    with pytest.raises(RunError, match="can't be written") as caught:
        held.add(pa.table({"other": [1]}))
    assert "space" not in str(caught.value)
