"""Which rows form which batch, epoch by epoch, from a seed alone."""

from collections.abc import Iterator

import numpy as np

WINDOW = 16  # batches that rows are sorted by length within


class BatchPlan:
    """Shuffled batches of rows; rows of one group stay together.

    The order is a function of seed and epoch, so a resumed run sees what an uninterrupted one would.

    Args:
        rows: `[N]` row numbers.
        batch_size: rows per batch. With groups, a batch takes whole groups until it has at least so many; a group
            larger than that is cut.
        groups: `[N]` codes, such as which image a row shows; -1 where a row has none.
        shuffle: else rows come in their order (with groups: a group's rows together).
        seed: of the shuffling.
        part, parts: this process's share of the batches, for data-parallel training.
        lengths: `[N]` of each row's text; shuffled rows are sorted by it within `WINDOW` batches, so that those of a
            batch are alike and little is padded. Not with groups.

    >>> plan = BatchPlan(np.arange(6), batch_size=2, groups=np.array([0, 1, 0, 1, 2, 2]), shuffle=False)
    >>> [batch.tolist() for batch in plan.epoch(0)]
    [[0, 2], [1, 3], [4, 5]]
    """

    def __init__(
        self,
        rows: np.ndarray,
        batch_size: int,
        groups: np.ndarray | None = None,
        shuffle: bool = True,
        seed: int = 0,
        part: int = 0,
        parts: int = 1,
        lengths: np.ndarray | None = None,
    ) -> None:
        self.lengths = lengths if shuffle and groups is None else None
        self.rows = rows
        self.batch_size = batch_size
        self.groups = None if groups is None else _singletons(groups)
        self.shuffle = shuffle
        self.seed = seed
        self.part, self.parts = part, parts
        self._steps = self._count()

    @property
    def steps(self) -> int:
        """Batches per epoch, counted in epoch 0. With groups another epoch may have more, and leaves out the last ones,
        or fewer, and repeats the first ones.
        """
        return self._steps

    def epoch(self, number: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Row numbers of each batch of an epoch, from batch `skip` on."""
        order, cuts = self._cut(number)
        for step in range(skip, self._steps):
            batch = (step * self.parts + self.part) % (len(cuts) - 1)
            yield self.rows[order[cuts[batch] : cuts[batch + 1]]]

    def _count(self) -> int:
        batches = len(self._cut(0)[1]) - 1
        if not self.shuffle:
            return -(-batches // self.parts) if self.parts > 1 else batches
        return max(1, batches // self.parts)

    def _cut(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """An order of the rows and where to cut it."""
        random = np.random.default_rng([self.seed, number])
        count = len(self.rows)
        if self.groups is None:
            order = random.permutation(count) if self.shuffle else np.arange(count)
            if self.lengths is not None:
                order = _alike(order, self.lengths, self.batch_size, random)
            return order, _edges(count, self.batch_size)
        return self._grouped(random)

    def _grouped(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        assert self.groups is not None
        rank = random.permutation(self.groups.max() + 1)[self.groups] if self.shuffle else self.groups
        order = np.lexsort((random.random(len(rank)), rank)) if self.shuffle else np.argsort(rank, kind="stable")
        sizes = np.unique(rank[order], return_counts=True)[1]
        sizes = np.concatenate([np.diff(_edges(size, self.batch_size)) for size in sizes])  # cut larger groups
        cuts, filled, start = [0], 0, 0
        for size in sizes.tolist():
            filled += size
            start += size
            if filled >= self.batch_size:
                cuts.append(start)
                filled = 0
        if cuts[-1] != len(order):
            cuts.append(len(order))
        return order, np.array(cuts)


def padded_share(plan: BatchPlan, lengths: np.ndarray, epoch: int = 0) -> float:
    """Share of an epoch's tokens that are padding, where every text is padded to the longest of its batch.

    >>> lengths = np.array([1, 1, 4, 4])
    >>> padded_share(BatchPlan(np.arange(4), 2, shuffle=False), lengths)
    0.0
    """
    length_of = dict(zip(plan.rows.tolist(), lengths.tolist(), strict=True))
    sizes = [[length_of[row] for row in batch.tolist()] for batch in plan.epoch(epoch)]
    places = sum(max(batch) * len(batch) for batch in sizes)
    return 1 - sum(map(sum, sizes)) / max(1, places)


def _alike(order: np.ndarray, lengths: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """An order in which the rows of a batch are of similar length; which batch comes when stays random."""
    batches: list[np.ndarray] = []
    for start in range(0, len(order), size * WINDOW):
        window = order[start : start + size * WINDOW]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[cut : cut + size] for cut in range(0, len(window), size)]
    whole = [batch for batch in batches if len(batch) == size]
    rest = [batch for batch in batches if len(batch) < size]  # one at most, and it stays the last
    return np.concatenate([*(whole[n] for n in random.permutation(len(whole))), *rest])


def _edges(count: int, size: int) -> np.ndarray:
    return np.append(np.arange(0, count, size), count)


def _singletons(groups: np.ndarray) -> np.ndarray:
    """Codes 0..G-1 in order of first appearance; rows without a group become groups of one."""
    groups = groups.copy()
    alone = groups < 0
    groups[alone] = groups.max(initial=0) + 1 + np.arange(alone.sum())
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
