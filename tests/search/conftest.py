"""An index of the squares, and who searches it."""

from pathlib import Path

import pytest

from plait.search import Searcher, index_table


@pytest.fixture(scope="session")
def index(squares: Path) -> Path:
    path = squares / "squares.lance"
    found = index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    assert (found.rows, found.added, found.known) == (64, 64, 0)
    return path


@pytest.fixture(scope="session")
def searcher(index: Path) -> Searcher:
    return Searcher(index)
