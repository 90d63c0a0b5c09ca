"""What is found, and recall, by hand."""

import numpy as np

from plait.metrics.retrieval import Ranks
from plait.report.found import _linked, _recalls


def test_recall_rises_to_what_there_is() -> None:
    assert _recalls(Ranks(np.arange(4), np.array([1, 2, 2, 11]), 20)) == [
        (1, 0.25), (2, 0.75), (3, 0.75), (5, 0.75), (10, 0.75), (20, 1.0),
    ]  # fmt: skip
    assert [k for k, _ in _recalls(Ranks(np.arange(1), np.array([1]), 3))] == [1, 2, 3, 5, 10]


def test_a_query_and_a_thing_are_linked_where_some_row_holds_both() -> None:
    pairs = np.array([[4, 0], [4, 2], [7, 2], [4, 0]])
    found = _linked(pairs, np.array([4, 7]), np.array([0, 1, 2]))
    assert found.tolist() == [[True, False, True], [False, False, True]]
