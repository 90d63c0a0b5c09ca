"""The k nearest of all vectors, exactly, at the speed of one matrix product."""

import numpy as np
import torch
from torch import Tensor

GROUP = 64  # vectors whose best score is looked at before their own
QUERIES = 128  # whose scores of a part stand in memory at once
PART = 65_536  # vectors a part: 32 MB of scores
SURE = 40  # candidates of the prefilter that are scored again, for each ten asked for
HALF_FROM = 16  # queries from which a bfloat16 product pays


class ExactIndex:
    """Vectors to be searched by dot product.

    A query's k best lie in the k groups of 64 whose best is best, so only those are sorted: the scores are read once
    more after the product, and hardly anything is sorted. Where the machine multiplies in bfloat16, batches are
    filtered in it, and the best are scored again in float32.

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
        self.half: Tensor | None = self.tensor.to(torch.bfloat16) if half else None

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
            scores, found = ExactIndex(self.vectors[places]).search(queries, k)
            return scores, places[found]
        k = min(k, len(self))
        if not k or not len(queries):
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        if len(queries) == 1:  # bound by reading the vectors once; numpy does nothing besides
            one = _best(torch.from_numpy(self.vectors @ queries[0])[None], k)
            return one[0].numpy(), one[1].numpy()
        parts = [self._batch(queries[start : start + QUERIES], k) for start in range(0, len(queries), QUERIES)]
        best, where = (torch.cat(column) for column in zip(*parts, strict=True))
        return best.numpy(), where.numpy()

    def _batch(self, queries: np.ndarray, k: int) -> tuple[Tensor, Tensor]:
        asked = torch.from_numpy(queries)
        half = self.half if len(queries) >= HALF_FROM else None
        wanted = k if half is None else min(len(self), max(SURE, SURE * k // 10))
        best: Tensor | None = None
        where = torch.empty(0)
        for start in range(0, len(self), PART):
            if half is None:
                scores = asked @ self.tensor[start : start + PART].T
            else:
                scores = (asked.to(torch.bfloat16) @ half[start : start + PART].T).float()
            found, places = _best(scores, min(wanted, scores.shape[1]))
            places = places + start
            if best is None:
                best, where = found, places
            else:
                best, chosen = torch.cat([best, found], dim=1).topk(min(wanted, best.shape[1] + found.shape[1]), dim=1)
                where = torch.cat([where, places], dim=1).gather(1, chosen)
        assert best is not None
        if half is None:
            return best, where
        again = torch.bmm(self.tensor[where], asked.unsqueeze(2)).squeeze(2)
        best, chosen = again.topk(k, dim=1)
        return best, where.gather(1, chosen)


def _best(scores_QN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, and where."""
    queries, count = scores_QN.shape
    whole = count // GROUP
    if whole <= 2 * k:
        return scores_QN.topk(k, dim=1)
    grouped = scores_QN[:, : whole * GROUP].view(queries, whole, GROUP)
    groups = grouped.amax(dim=2).topk(k, dim=1).indices  # [Q, k]
    candidates = grouped.gather(1, groups.unsqueeze(2).expand(-1, -1, GROUP)).flatten(1)
    places = (groups.unsqueeze(2) * GROUP + torch.arange(GROUP)).flatten(1)
    rest = scores_QN[:, whole * GROUP :]
    if rest.shape[1]:
        candidates = torch.cat([candidates, rest], dim=1)
        more = torch.arange(whole * GROUP, count).expand(queries, -1)
        places = torch.cat([places, more], dim=1)
    best, chosen = candidates.topk(k, dim=1)
    return best, places.gather(1, chosen)
