"""Several rankings as one."""

from collections.abc import Sequence


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: float = 60.0) -> list[tuple[int, float]]:
    """Things by the sum of `1 / (k + rank)` over the rankings that hold them (Cormack, Clarke and Buettcher 2009).

    Args:
        rankings: of things, the best first.
        k: how little the first ranks count for more than the next.

    >>> [thing for thing, _ in reciprocal_rank_fusion([[1, 2, 3], [3, 1]])]
    [1, 3, 2]
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, thing in enumerate(ranking, 1):
            scores[thing] = scores.get(thing, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])
