"""How well queries find what belongs to them: recall at k, ranks, nDCG, mean average precision."""

from dataclasses import dataclass

import numpy as np

CHUNK = 2048  # queries, and items, whose scores stand in memory at once: 16 MB
# How far equal scores may lie apart, relative to the largest possible one, because float64 products add up in different
# orders. Scores that a float32 model tells apart are no ties.
TIED = 1e-12


@dataclass(frozen=True)
class Ranks:
    """Where what belongs to each query stands among all items.

    Args:
        query: `[P]` the query of each pair, ascending.
        rank: `[P]` from 1; within a query ascending.
        items: how many items were ranked.
    """

    query: np.ndarray
    rank: np.ndarray
    items: int

    @property
    def best(self) -> np.ndarray:
        """`[Q']` the best rank of each query that has a pair."""
        return self.rank[np.r_[True, self.query[1:] != self.query[:-1]]] if len(self.rank) else self.rank


def rank_pairs(queries: np.ndarray, items: np.ndarray, pairs: np.ndarray) -> Ranks:
    """Rank all items for each query by their dot product, in bounded memory.

    Ties are counted pessimistically: what does not belong to a query and scores as high stands before what does, so
    that a model which gives everything one score finds nothing. Products are taken in float64, so that only equal
    scores are ties. What belongs to a query never pushes down something else that does.

    Args:
        queries: `[Q, D]`; normalise them where cosines are meant.
        items: `[N, D]`.
        pairs: `[P, 2]` int, query and item that belong together; a query or an item may have several, or none.

    >>> ranks = rank_pairs(np.eye(3), np.eye(3)[[0, 2, 1]], np.array([[0, 0], [1, 1], [2, 1]]))
    >>> ranks.rank.tolist()  # the second query's item scores 0, as another does
    [1, 3, 1]
    """
    queries, items = np.asarray(queries, np.float64), np.asarray(items, np.float64)
    pairs = np.unique(np.asarray(pairs, np.int64).reshape(-1, 2), axis=0)
    pair_scores = np.einsum("pd,pd->p", queries[pairs[:, 0]], items[pairs[:, 1]])
    order = np.lexsort((-pair_scores, pairs[:, 0]))
    pairs, pair_scores = pairs[order], pair_scores[order]
    slack = TIED * _largest(queries) * _largest(items)
    before = np.zeros(len(pairs), np.int64)
    # For each pair, count the items of others that score at least as high.
    for start in range(0, len(queries), CHUNK):
        first, last = np.searchsorted(pairs[:, 0], [start, start + CHUNK])
        if first == last:
            continue
        row, least = pairs[first:last, 0] - start, pair_scores[first:last] - slack
        for left in range(0, len(items), CHUNK):
            scores = queries[start : start + CHUNK] @ items[left : left + CHUNK].T
            inside = np.flatnonzero((pairs[first:last, 1] >= left) & (pairs[first:last, 1] < left + CHUNK))
            scores[row[inside], pairs[first:last, 1][inside] - left] = -np.inf  # a query's own items do not count
            for part in np.array_split(np.arange(len(row)), -(-len(row) // CHUNK)):
                before[first + part] += (scores[row[part]] >= least[part, None]).sum(axis=1)
    position = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])  # among the query's own items
    return Ranks(pairs[:, 0], before + position + 1, len(items))


def recall_at(ranks: Ranks, k: int) -> float:
    """Share of the queries with something of theirs among the first k."""
    return float((ranks.best <= k).mean())


def median_rank(ranks: Ranks) -> float:
    """Of the best of each query."""
    return float(np.median(ranks.best))


def mean_reciprocal_rank(ranks: Ranks) -> float:
    """Of the best of each query."""
    return float((1.0 / ranks.best).mean())


def mean_average_precision(ranks: Ranks) -> float:
    """The mean over queries of the precision at each thing that belongs to them."""
    first = np.searchsorted(ranks.query, ranks.query)
    position = np.arange(len(ranks.query)) - first + 1
    return _mean_by_query(ranks.query, position / ranks.rank)


def ndcg(ranks: Ranks, k: int | None = None) -> float:
    """Normalised discounted cumulative gain with gains of one, over all items or the first k."""
    position = np.arange(len(ranks.query)) - np.searchsorted(ranks.query, ranks.query) + 1
    limit = ranks.items if k is None else k
    gained = np.where(ranks.rank <= limit, 1 / np.log2(ranks.rank + 1), 0.0)
    ideal = np.where(position <= limit, 1 / np.log2(position + 1), 0.0)
    _, starts = np.unique(ranks.query, return_index=True)
    return float((np.add.reduceat(gained, starts) / np.add.reduceat(ideal, starts)).mean())


def retrieval_metrics(texts: np.ndarray, images: np.ndarray, image_of: np.ndarray) -> dict[str, float]:
    """The field's numbers for images with one caption or several each, in both directions.

    `txt_r1` asks whether an image finds one of its texts, `img_r1` whether a text finds its image; `r_mean` is the
    mean of the six recalls. The others are the means of both directions.

    Args:
        texts: `[T, D]`, normalised.
        images: `[P, D]`, normalised; each may have several texts, or none.
        image_of: `[T]` the image of each text.
    """
    pairs = np.stack([np.arange(len(texts)), np.asarray(image_of)], axis=1)
    both = {"txt": directed_metrics(images, texts, pairs[:, ::-1]), "img": directed_metrics(texts, images, pairs)}
    metrics = {f"{name}_r{k}": direction.pop(f"r{k}") for name, direction in both.items() for k in (1, 5, 10)}
    metrics["r_mean"] = float(np.mean(list(metrics.values())))
    return metrics | {key: float(np.mean([direction[key] for direction in both.values()])) for key in both["txt"]}


def directed_metrics(queries: np.ndarray, items: np.ndarray, pairs: np.ndarray) -> dict[str, float]:
    """`r1 r5 r10 median_rank mrr ndcg map` of what queries find; arguments as in `rank_pairs`."""
    ranks = rank_pairs(queries, items, pairs)
    return {
        **{f"r{k}": recall_at(ranks, k) for k in (1, 5, 10)},
        "median_rank": median_rank(ranks),
        "mrr": mean_reciprocal_rank(ranks),
        "ndcg": ndcg(ranks),
        "map": mean_average_precision(ranks),
    }


def _mean_by_query(query: np.ndarray, values: np.ndarray) -> float:
    _, starts, counts = np.unique(query, return_index=True, return_counts=True)
    return float((np.add.reduceat(values, starts) / counts).mean())


def _largest(rows: np.ndarray) -> float:
    return float(np.sqrt(np.einsum("nd,nd->n", rows, rows).max(initial=0.0)))
