"""Rows held out, in folds, and as a column says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.splits import folds_of, forward_folds, holdout, latest, split_column
from plait.data.table import Table
from plait.errors import DataError


@given(
    rows=st.integers(2, 200),
    share=st.floats(0.01, 0.9),
    groups=st.one_of(st.none(), st.integers(2, 20)),
    classes=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_holdout_covers_and_never_tears_a_group(rows, share, groups, classes, seed) -> None:
    random = np.random.default_rng(seed)
    codes = None if groups is None else np.arange(rows) % min(groups, rows)
    labels = random.integers(0, classes, rows)
    first, second = holdout(np.arange(rows), share, labels, codes, seed)
    assert sorted([*first, *second]) == list(range(rows)) and len(first) and len(second)
    if codes is not None:
        assert not set(codes[first]) & set(codes[second])


def test_holdout_is_stratified_and_repeatable() -> None:
    labels = np.repeat([0, 1], [900, 100])
    _first, second = holdout(np.arange(1000), 0.2, labels, seed=3)
    assert len(second) == 200 and labels[second].sum() == 20
    assert np.array_equal(second, holdout(np.arange(1000), 0.2, labels, seed=3)[1])
    assert not np.array_equal(second, holdout(np.arange(1000), 0.2, labels, seed=4)[1])


def test_grouped_holdout_is_stratified_where_it_can_be() -> None:
    groups = np.repeat(np.arange(100), 10)
    labels = (groups < 20).astype(int)
    _, second = holdout(np.arange(1000), 0.2, labels, groups)
    assert labels[second].mean() == pytest.approx(0.2, abs=0.05) and len(second) == pytest.approx(200, abs=30)


def test_too_few_rows_or_groups() -> None:
    with pytest.raises(DataError, match="at least 2 rows, got 1"):
        holdout(np.arange(1), 0.1)
    with pytest.raises(DataError, match="at least 2 groups, got 1"):
        holdout(np.arange(5), 0.1, groups=np.zeros(5, dtype=int))


def test_split_column() -> None:
    table = Table.from_frame(pd.DataFrame({"s": ["train", "Validation", "TEST", "restval"]}))
    parts = split_column(table, "s")
    assert {name: rows.tolist() for name, rows in parts.items()} == {"train": [0, 3], "val": [1], "test": [2]}
    with pytest.raises(DataError, match="row 2, column 's': expected train, val or test, got 'other'"):
        split_column(Table.from_frame(pd.DataFrame({"s": ["train", "other"]})), "s")
    with pytest.raises(DataError, match="row 2, column 's': the split is empty"):
        split_column(Table.from_frame(pd.DataFrame({"s": ["train", None]})), "s")


def test_folds_share_out_classes_and_keep_groups() -> None:
    labels = np.array([0] * 40 + [1] * 20)
    groups = np.arange(60) // 2
    for folds in (folds_of(np.arange(60), 4, labels), folds_of(np.arange(60), 4, labels, groups)):
        assert sorted(np.concatenate(folds).tolist()) == list(range(60))
        assert all(0.2 < labels[fold].mean() < 0.45 for fold in folds)
    of_group = [set(groups[fold].tolist()) for fold in folds]
    assert sum(map(len, of_group)) == len(set.union(*of_group))


@given(times=st.lists(st.integers(0, 12), min_size=2, max_size=80), share=st.floats(0.01, 0.9), folds=st.integers(1, 6))
def test_in_time_nothing_is_learned_from_what_comes_later(times: list[int], share: float, folds: int) -> None:
    rows, moments = np.arange(len(times)), np.array(times)
    if len(set(times)) == 1:
        with pytest.raises(DataError, match="of one moment"):
            latest(rows, share, moments)
        return
    first, second = latest(rows, share, moments)
    assert sorted([*first, *second]) == rows.tolist() and moments[first].max() < moments[second].min()
    size = min(max(1, round(share * len(rows))), len(rows) - 1)
    later = int((moments > moments.min()).sum())
    assert len(second) >= min(size, later)  # the share, at least, but for the rows of the first moment
    assert (moments[second] > moments[second].min()).sum() < size  # and no moment more than it takes
    if len(set(times)) <= folds:
        with pytest.raises(DataError, match=f"{folds} folds in time need at least {folds + 1} moments"):
            forward_folds(rows, folds, moments)
        return
    cut = forward_folds(rows, folds, moments)
    assert len(cut) == folds and all(len(fold) for fold in cut)
    before = np.setdiff1d(rows, np.concatenate(cut))
    for fold in cut:
        assert len(before) and moments[before].max() < moments[fold].min()
        before = np.concatenate([before, fold])
    assert sorted(before) == rows.tolist()


def test_a_first_moment_of_many_rows_is_learned_from() -> None:
    cut = forward_folds(np.arange(6), 3, np.array([0, 0, 0, 1, 2, 3]))
    assert [fold.tolist() for fold in cut] == [[3], [4], [5]]
    with pytest.raises(DataError, match="got 2; leave data.time out"):
        forward_folds(np.arange(6), 3, np.array([0, 0, 0, 1, 1, 1]))
