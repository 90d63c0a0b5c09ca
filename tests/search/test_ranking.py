"""Several rankings as one, by hand."""

import pytest

from plait.search.ranking import reciprocal_rank_fusion


def test_scores_are_sums_of_reciprocal_ranks() -> None:
    found = reciprocal_rank_fusion([[7, 3], [3, 5, 7]], k=1.0)
    assert [thing for thing, _ in found] == [3, 7, 5]
    assert [score for _, score in found] == pytest.approx([1 / 3 + 1 / 2, 1 / 2 + 1 / 4, 1 / 3])


def test_ties_keep_the_order_in_which_things_came() -> None:
    assert [thing for thing, _ in reciprocal_rank_fusion([[4, 2], [2, 4]])] == [4, 2]
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == []
