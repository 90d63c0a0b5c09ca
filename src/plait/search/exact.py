"""The k nearest of all vectors, exactly, at the speed of one matrix product."""

import threading
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from plait.search.int8_index import GROUP, Int8Index

BLOCK = 32 * GROUP  # vectors whose scores are looked at while they are still in the processor's cache
QUERIES = 128  # whose scores of a part stand in memory at once
PART = 1 << 17  # vectors a part: 67 MB of scores
SURE = 40  # candidates of the prefilter that are scored again, for each ten asked for
HALF_FROM = 16  # queries from which a bfloat16 product pays
OFTEN, LARGE = 32, 1 << 22  # single queries, and numbers, from which a copy in 8 bits pays


class ExactIndex:
    """Vectors to be searched by dot product.

    A query's k best lie in the k groups of 64 whose best is best, so only those are sorted: the scores are read once
    more after the product, and hardly anything is sorted. Where the machine multiplies in bfloat16, batches are
    filtered in it, and the best are scored again in float32. One query is bound by reading the vectors: an index that
    is asked again and again keeps a copy in 8 bits, which finds whatever may be among the best.

    Args:
        vectors: `[N, D]` float32.
        half: filter in bfloat16.

    >>> index = ExactIndex(np.eye(3, dtype=np.float32))
    >>> scores, places = index.search(np.array([[0.1, 0.9, 0.2]], dtype=np.float32), k=2)
    >>> places.tolist()
    [[1, 2]]
    """

    def __init__(self, vectors: np.ndarray, half: bool = False) -> None:
        self.vectors = np.require(vectors, np.float32, ["C", "W"])
        self.tensor = torch.from_numpy(self.vectors)
        self._room = threading.local()  # for scores: memory that is touched for the first time costs a third more
        self.half: Tensor | None = self.tensor.to(torch.bfloat16) if half else None
        self._narrow: Int8Index | None = None
        self._single_queries = 0  # so far

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Scores `[Q, k]`, the best first, and places `[Q, k]`.

        Args:
            queries: `[Q, D]` float32.
            k: how many; fewer where fewer are allowed.
            allowed: `[N]` bool; None for all.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if allowed is not None:
            places = np.flatnonzero(allowed)
            scores, positions = ExactIndex(self.vectors[places]).search(queries, k)
            return scores, places[positions]
        k = min(k, len(self))
        if not k or not len(queries):
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        if len(queries) == 1:
            return self._one(queries[0], k)
        parts = [self._batch(queries[start : start + QUERIES], k) for start in range(0, len(queries), QUERIES)]
        best, where = (torch.cat(column) for column in zip(*parts, strict=True))
        return best.numpy(), where.numpy()

    def _one(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The best of one query: by the 8-bit copy where there is one, else by numpy's product alone."""
        self._single_queries += 1
        if self._single_queries == OFTEN and self.vectors.size >= LARGE:
            with suppress(RuntimeError, AttributeError):  # not every torch has its product: no copy then
                self._narrow = Int8Index(self.tensor)
        narrow = self._narrow
        if narrow is None or k > narrow.deepest:
            return _best_of_one(self.vectors @ query, k)
        query_tensor = torch.from_numpy(query)
        places = narrow.candidates(query_tensor, k)
        if places is None:  # these vectors lie too close to each other to be told apart in 8 bits
            self._narrow = None
            return _best_of_one(self.vectors @ query, k)
        best, chosen = (self.tensor[places] @ query_tensor).topk(k)
        return best.numpy()[None], places[chosen].numpy()[None]

    def _batch(self, queries: np.ndarray, k: int) -> tuple[Tensor, Tensor]:
        query_tensor = torch.from_numpy(queries)
        half = self.half if len(queries) >= HALF_FROM else None
        wanted = k if half is None else min(len(self), max(SURE, SURE * k // 10))
        best: Tensor | None = None
        where = torch.empty(0)
        for start in range(0, len(self), PART):
            vectors = (self.tensor if half is None else half)[start : start + PART]
            room = self._scores(len(vectors), len(queries))
            scores, places = _best(vectors, query_tensor.to(vectors.dtype), min(wanted, len(vectors)), room)
            places = places + start
            # Merge the best of this part with the best of those before.
            if best is None:
                best, where = scores, places
            else:
                best, chosen = torch.cat([best, scores], dim=1).topk(
                    min(wanted, best.shape[1] + scores.shape[1]), dim=1
                )
                where = torch.cat([where, places], dim=1).gather(1, chosen)
        assert best is not None
        if half is None:
            return best, where
        # bfloat16 has only found candidates; float32 decides among them.
        again = torch.bmm(self.tensor[where], query_tensor.unsqueeze(2)).squeeze(2)
        best, chosen = again.topk(k, dim=1)
        return best, where.gather(1, chosen)

    def _scores(self, count: int, queries: int) -> Tensor:
        """`[count, queries]` of memory that this thread uses again and again."""
        buffer: Tensor | None = getattr(self._room, "scores", None)
        if buffer is None or buffer.numel() < count * queries:
            self._room.scores = buffer = torch.empty(count * queries)
        return buffer[: count * queries].view(count, queries)


def _best(vectors_ND: Tensor, queries_QD: Tensor, k: int, scores_NQ: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and places `[Q, k]` of the best; all scores are written to `scores_NQ`."""
    count, queries = len(vectors_ND), len(queries_QD)
    groups = count // GROUP
    if groups <= 2 * k:
        return (queries_QD @ vectors_ND.T).float().topk(k, dim=1)
    # The product, block by block, and the best score of each group while the block is in the cache.
    largest_GQ = torch.empty(groups, queries)
    for start in range(0, count, BLOCK):
        block = scores_NQ[start : start + BLOCK]
        if vectors_ND.dtype == block.dtype:
            torch.mm(vectors_ND[start : start + BLOCK], queries_QD.T, out=block)
        else:
            block.copy_(vectors_ND[start : start + BLOCK] @ queries_QD.T)
        whole = len(block) // GROUP
        first = start // GROUP
        largest_GQ[first : first + whole] = block[: whole * GROUP].view(whole, GROUP, queries).amax(dim=1)
    # The k best vectors lie in the k best groups, or in the rest that fills no group.
    best_Qk = largest_GQ.T.topk(k, dim=1).indices
    places = (best_Qk.unsqueeze(2) * GROUP + torch.arange(GROUP)).flatten(1)
    rest = torch.arange(groups * GROUP, count).expand(queries, -1)
    places = torch.cat([places, rest], dim=1)
    candidates = scores_NQ[places, torch.arange(queries).unsqueeze(1)]
    best, chosen = candidates.topk(k, dim=1)
    return best, places.gather(1, chosen)


def _best_of_one(scores_N: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best of one query's scores, without torch, whose waiting threads would take the product's cores."""
    whole = len(scores_N) // GROUP
    places = np.arange(len(scores_N))
    if whole > 2 * k:
        largest = scores_N[: whole * GROUP].reshape(whole, GROUP).max(axis=1)
        groups = np.argpartition(-largest, k - 1)[:k]
        places = np.r_[(groups[:, None] * GROUP + np.arange(GROUP)).ravel(), whole * GROUP : len(scores_N)]
    order = places[np.argsort(-scores_N[places], kind="stable")[:k]]
    return scores_N[order][None], order[None]
