"""Ranked answers of dialogs."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from plait.metrics.dialog import rank_metrics, ranks_of_scores, visdial_ndcg


def test_ranks() -> None:
    assert ranks_of_scores(np.array([[1.0, 3.0, 2.0]])).tolist() == [[3, 1, 2]]
    alike = np.full((3, 100), -35.2)
    assert (ranks_of_scores(alike) == 100).all()  # the true option gains nothing by its place
    relevance = np.r_[np.ones(5), np.zeros(95)]
    assert visdial_ndcg([ranks_of_scores(alike[0])], [relevance]) == 0
    found = rank_metrics(np.array([1, 3, 7, 20]))
    assert found == {
        "mrr": pytest.approx((1 + 1 / 3 + 1 / 7 + 1 / 20) / 4),
        "r1": 0.25,
        "r5": 0.5,
        "r10": 0.75,
        "mean_rank": 7.75,
    }


def test_ndcg_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(20, 100))
    relevance = np.where(random.random((20, 100)) < 0.9, 0.0, random.random((20, 100)).round(1))
    ours = visdial_ndcg(list(ranks_of_scores(scores)), list(relevance))
    theirs = np.mean(
        [ndcg_score(r[None], s[None], k=int((r > 0).sum())) for r, s in zip(relevance, scores, strict=True)]
    )
    assert ours == pytest.approx(theirs)
