"""Scores of ranked answers in a visual dialog."""

from collections.abc import Sequence

import numpy as np


def rank_metrics(ranks: np.ndarray) -> dict[str, float]:
    """MRR, R@1/5/10 and mean rank, from the rank of the true answer among each question's options.

    Args:
        ranks: `[N]` whole numbers from 1.

    >>> rank_metrics(np.array([1, 2, 8]))["mean_rank"]
    3.6666666666666665
    """
    recalls = {f"r{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
    return {"mrr": float((1 / ranks).mean()), **recalls, "mean_rank": float(ranks.mean())}


def ranks_of_scores(scores: np.ndarray) -> np.ndarray:
    """`[…, K]` scores → ranks from 1, the highest first; equal ones all have the last of their ranks.

    So an order of options that puts the true one first gains nothing where a model scores all alike.

    >>> ranks_of_scores(np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.9]])).tolist()
    [[3, 1, 2], [3, 2, 2]]
    """
    return (scores[..., None, :] >= scores[..., None]).sum(axis=-1)


def visdial_ndcg(ranks: Sequence[np.ndarray], relevance: Sequence[np.ndarray]) -> float:
    """Mean NDCG of VisDial (1611.08669, challenge of 2018): over as many places as there are relevant options.

    Args:
        ranks: of each question, `[K]` rank of each option, from 1; of equal ones the less relevant counts first.
        relevance: of each question, `[K]` in 0..1.

    >>> round(visdial_ndcg([np.array([2, 1, 3])], [np.array([1.0, 0.5, 0.0])]), 3)
    0.86
    """
    values = []
    for place, worth in zip(ranks, relevance, strict=True):
        order = np.lexsort((worth, place))
        count = int((worth > 0).sum())
        best = _gain(np.sort(worth)[::-1][:count])
        values.append(_gain(worth[order][:count]) / best if count else 0.0)
    return float(np.mean(values))


def _gain(worth: np.ndarray) -> float:
    return float((worth / np.log2(np.arange(len(worth)) + 2)).sum())
