"""Retrieval metrics against hand-worked cases, a plain sort and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from plait.metrics import retrieval
from plait.metrics.retrieval import (
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    ndcg,
    rank_pairs,
    recall_at,
    retrieval_metrics,
)


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def several(queries: int, items: int, seed: int) -> np.ndarray:
    """Each item belongs to one query, so that a query has none, one or many."""
    return np.stack([np.random.default_rng(seed).integers(queries, size=items), np.arange(items)], axis=1)


def test_by_hand() -> None:
    # one query, five items with scores 9 8 7 6 5; the second and the fourth belong to it
    ranks = rank_pairs(np.ones((1, 1)), np.array([[9.0], [8], [7], [6], [5]]), np.array([[0, 1], [0, 3]]))
    assert ranks.rank.tolist() == [2, 4] and ranks.best.tolist() == [2]
    assert recall_at(ranks, 1) == 0 and recall_at(ranks, 5) == 1 and mean_reciprocal_rank(ranks) == 0.5
    assert mean_average_precision(ranks) == pytest.approx((1 / 2 + 2 / 4) / 2)
    ideal = 1 + 1 / np.log2(3)
    assert ndcg(ranks) == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / ideal)
    assert ndcg(ranks, k=2) == pytest.approx((1 / np.log2(3)) / ideal)


def test_ties_never_help() -> None:
    same = np.ones((10, 4))
    ranks = rank_pairs(same, same, np.stack([np.arange(10)] * 2, axis=1))
    assert ranks.rank.tolist() == [10] * 10 and recall_at(ranks, 5) == 0 and median_rank(ranks) == 10
    found = retrieval_metrics(same, same, np.arange(10))
    assert found["r_mean"] == pytest.approx(1 / 3)  # only the first ten hold it
    two = rank_pairs(np.ones((1, 1)), np.ones((3, 1)), np.array([[0, 0], [0, 2]]))
    assert two.rank.tolist() == [2, 3]  # behind the one that is not theirs, not behind each other


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_only_equal_scores_are_ties(scale: float) -> None:
    one = unit(1, 512, 0).astype(np.float32)
    pairs = np.stack([np.arange(50)] * 2, axis=1)
    alike = np.repeat(one, 50, axis=0) * np.float32(scale)  # a model that says one thing of everything finds nothing
    assert rank_pairs(alike, alike, pairs).rank.tolist() == [50] * 50
    apart = one * (scale * (1 - 1.3e-6 * np.arange(50)))[:, None]  # 1.3e-6 from one to the next
    assert rank_pairs(one, apart, pairs * [0, 1]).rank.tolist() == list(range(1, 51))


@pytest.mark.parametrize("chunk", [3, 7, 1000])
def test_chunks_do_not_matter_and_ranks_are_those_of_a_sort(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "CHUNK", chunk)
    queries, items, pairs = unit(11, 6, 0), unit(40, 6, 1), several(11, 40, 2)
    ranks = rank_pairs(queries, items, pairs)
    scores = queries @ items.T
    for query in range(11):
        own = set(pairs[pairs[:, 0] == query, 1].tolist())
        order = np.argsort(-scores[query])
        expected = [place + 1 for place, item in enumerate(order) if int(item) in own]
        assert ranks.rank[ranks.query == query].tolist() == expected


def test_against_scikit_learn() -> None:
    queries, items, pairs = unit(30, 8, 3), unit(120, 8, 4), several(30, 120, 5)
    ranks = rank_pairs(queries, items, pairs)
    scores, relevant = queries @ items.T, np.zeros((30, 120))
    relevant[pairs[:, 0], pairs[:, 1]] = 1
    has = relevant.any(axis=1)
    per_query = [average_precision_score(relevant[q], scores[q]) for q in np.flatnonzero(has)]
    assert mean_average_precision(ranks) == pytest.approx(np.mean(per_query), abs=1e-6)
    assert ndcg(ranks) == pytest.approx(ndcg_score(relevant[has], scores[has]), abs=1e-6)
    assert ndcg(ranks, k=10) == pytest.approx(ndcg_score(relevant[has], scores[has], k=10), abs=1e-6)


def test_several_captions_a_picture_in_both_directions() -> None:
    pictures = np.eye(3, dtype=np.float32)
    texts = np.stack([pictures[0], pictures[1], pictures[1], pictures[2] * 0.6 + pictures[0] * 0.8])
    found = retrieval_metrics(texts, pictures, np.array([0, 1, 1, 2]))
    assert found["img_r1"] == pytest.approx(3 / 4)  # the last text finds the first image first
    assert found["txt_r1"] == 1.0  # each image finds one of its texts, the third its own above the others
    assert set(found) == {
        "txt_r1",
        "txt_r5",
        "txt_r10",
        "img_r1",
        "img_r5",
        "img_r10",
        "r_mean",
        "median_rank",
        "mrr",
        "ndcg",
        "map",
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 999))
def test_ranks_are_within_bounds_and_perfect_scores_are_perfect(queries: int, items: int, seed: int) -> None:
    pairs = several(queries, items, seed)
    ranks = rank_pairs(unit(queries, 4, seed), unit(items, 4, seed + 1), pairs)
    assert len(ranks.rank) == items and ranks.rank.min() >= 1 and ranks.rank.max() <= items
    perfect = rank_pairs(np.eye(queries)[: len(np.eye(queries))], np.eye(queries)[pairs[:, 0]], pairs)
    for measure in (mean_average_precision, ndcg, mean_reciprocal_rank):
        assert measure(perfect) == pytest.approx(1.0)
