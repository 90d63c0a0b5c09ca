"""Which rows train, which validate, which test: stratified, by group, in time, or as a column says."""

import warnings

import numpy as np

from plait.data.table import Table
from plait.errors import DataError

SPLIT_WORDS = {
    "train": "train", "training": "train", "restval": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def holdout(
    rows: np.ndarray,
    share: float,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows in two.

    Args:
        rows: `[N]` row numbers.
        share: of the rows (of the groups, where there are some) that goes into the second part, 0 to 1.
        labels: `[N]` class codes; each class is shared out alike. Classes with one row stay in the first part.
        groups: `[N]` codes; a group is never split up.
        seed: the same seed gives the same parts.

    Returns:
        The two parts, each sorted.

    Raises:
        DataError: there are too few rows or groups for both parts to have one.

    >>> first, second = holdout(np.arange(10), 0.2, labels=np.arange(10) % 2)
    >>> len(first), len(second)
    (8, 2)
    """
    units = len(np.unique(groups)) if groups is not None else len(rows)
    if units < 2:
        what = "groups" if groups is not None else "rows"
        raise DataError(f"a split needs at least 2 {what}, got {units}; add some, or name files for val and test")
    if groups is not None:
        second = _grouped(share, labels, groups, seed)
    else:
        second = _stratified(len(rows), share, labels, seed)
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[second] = True
    return rows[~chosen], rows[chosen]


def folds_of(
    rows: np.ndarray, count: int, labels: np.ndarray | None = None, groups: np.ndarray | None = None, seed: int = 0
) -> list[np.ndarray]:
    """Cut rows into folds: each class shared out alike, no group split up.

    Args:
        rows: `[N]` row numbers.
        count: folds.
        labels: `[N]` class codes to stratify by, or None.
        groups: `[N]` codes that stay together, or None.
        seed: the same seed gives the same folds.

    Returns:
        The rows of each fold, sorted.

    Raises:
        DataError: there are fewer rows, or groups, than folds.

    >>> [len(fold) for fold in folds_of(np.arange(10), 3, labels=np.arange(10) % 2)]
    [4, 3, 3]
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    units = len(np.unique(groups)) if groups is not None else len(rows)
    if groups is not None and units < 2:
        raise DataError("all rows are of one group, so no fold can be kept apart; leave --group out")
    if units < count:
        what = "groups" if groups is not None else "rows"
        raise DataError(
            f"{count} folds need at least {count} {what}, got {units}; use --folds {max(2, units)} or fewer"
        )
    options = {"shuffle": True, "random_state": seed}
    if labels is not None:  # classes with fewer rows than folds count as one, or scikit-learn would warn of each
        _, labels, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        labels = np.where(sizes[labels] >= count, labels, -1)
    if groups is not None and labels is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these classes may be too small together, too
            cuts = list(StratifiedGroupKFold(count, **options).split(rows, labels, groups))
    elif groups is not None:
        cuts = GroupKFold(count).split(rows, groups=groups)
    elif labels is not None and np.unique(labels, return_counts=True)[1].max() >= count:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these classes may be too small together, too
            cuts = list(StratifiedKFold(count, **options).split(rows, labels))
    else:
        cuts = KFold(count, **options).split(rows)
    return [np.sort(rows[second]) for _, second in cuts]


def latest(rows: np.ndarray, share: float, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split rows in time: the second part has the latest ones, and rows of one moment stay together.

    Args:
        rows: `[N]` row numbers.
        share: of the rows that goes into the second part, at least, 0 to 1.
        moments: `[N]` ranks of their times.

    Raises:
        DataError: all rows are of one moment.

    >>> latest(np.arange(6), 0.3, np.array([0, 1, 2, 3, 4, 4]))
    (array([0, 1, 2, 3]), array([4, 5]))
    """
    first, last = (moments.min(), moments.max()) if len(rows) else (0, 0)
    if first == last:
        raise DataError(f"all {len(rows)} rows are of one moment, so none comes later; leave data.time out")
    size = min(max(1, round(share * len(rows))), len(rows) - 1)
    edge = max(np.sort(moments)[len(rows) - size], moments[moments > first].min())
    return rows[moments < edge], rows[moments >= edge]


def forward_folds(rows: np.ndarray, count: int, moments: np.ndarray) -> list[np.ndarray]:
    """Folds in time: rows are cut into one block more than there are folds, and each but the first is tested.

    Whoever trains for a fold takes the rows before it; rows of one moment stay together.

    Raises:
        DataError: there are fewer moments than blocks.

    >>> [fold.tolist() for fold in forward_folds(np.arange(6), 2, np.array([0, 0, 1, 1, 2, 3]))]
    [[2, 3], [4, 5]]
    """
    known, counts = np.unique(moments, return_counts=True)
    if len(known) <= count:
        fewer = f"use --folds {len(known) - 1} or fewer, or " if len(known) > 2 else ""
        raise DataError(
            f"{count} folds in time need at least {count + 1} moments, got {len(known)}; {fewer}leave data.time out"
        )
    # Each moment goes to the block that its middle row falls into; then no block is left empty.
    middle = np.cumsum(counts) - counts / 2
    block = np.minimum((middle * (count + 1) / len(rows)).astype(int), count)
    block = np.maximum(block, np.arange(len(known)) - len(known) + count + 1)  # enough moments for the later ones
    block[0] = 0  # however many rows the first moment has: the first fold learns from it
    for place in range(1, len(block)):
        block[place] = min(block[place], block[place - 1] + 1)
    of_row = block[np.searchsorted(known, moments)]
    return [np.sort(rows[of_row == number]) for number in range(1, count + 1)]


def _grouped(share: float, labels: np.ndarray | None, groups: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    folds = max(2, round(1 / share)) if share > 0 else 2
    if labels is not None and share <= 0.5 and len(np.unique(groups)) >= folds:
        counts = np.bincount(labels - labels.min())
        if counts[counts > 0].min() >= folds:
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            return next(splitter.split(labels, labels, groups))[1]
    count = len(np.unique(groups))
    size = min(max(1, round(share * count)), count - 1)
    splitter = GroupShuffleSplit(1, test_size=size, random_state=seed)
    return next(splitter.split(groups, groups=groups))[1]


def _stratified(count: int, share: float, labels: np.ndarray | None, seed: int) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    positions = np.arange(count)
    size = min(max(1, round(share * count)), count - 1)
    if labels is not None:
        _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
        common = counts[inverse] > 1
        classes = int((counts > 1).sum())
        if classes <= min(size, common.sum() - size):  # else there are more classes than places
            return train_test_split(positions[common], test_size=size, stratify=inverse[common], random_state=seed)[1]
    return train_test_split(positions, test_size=size, random_state=seed)[1]


def split_column(table: Table, name: str) -> dict[str, np.ndarray]:
    """Row numbers of `train`, `val` and `test` as a column says.

    Raises:
        DataError: a cell holds another word; the message names the row.
    """
    codes, values = table.codes(name)
    if (codes < 0).any():
        raise DataError(f"{table.source}: row {int(np.argmax(codes < 0)) + 1}, column {name!r}: the split is empty")
    parts: dict[str, list[np.ndarray]] = {}
    for code, value in enumerate(values):
        part = SPLIT_WORDS.get(str(value).strip().lower())
        rows = np.flatnonzero(codes == code)
        if part is None:
            raise DataError(
                f"{table.source}: row {rows[0] + 1}, column {name!r}: expected train, val or test, got {value!r}"
            )
        parts.setdefault(part, []).append(rows)
    return {part: np.sort(np.concatenate(rows)) for part, rows in parts.items()}


def draw(rows: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    """Up to so many rows, drawn at random and in their order: the first ones of a sorted table are not like the rest.

    >>> draw(np.arange(100), 5, seed=0).tolist(), draw(np.arange(3), 5, seed=0).tolist()
    ([26, 30, 50, 61, 81], [0, 1, 2])
    """
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
