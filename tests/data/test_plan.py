"""Batches of an epoch: every row once, groups together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.data.plan import BatchPlan, padded_share

plans = st.tuples(
    st.integers(1, 80), st.integers(1, 16), st.one_of(st.none(), st.integers(1, 30)), st.integers(0, 5), st.booleans()
)


@given(plans)
def test_plan_takes_rows_once_and_keeps_groups(drawn: tuple) -> None:
    count, size, groups, seed, shuffle = drawn
    codes = None if groups is None else np.random.default_rng(seed).integers(-1, groups, count)
    plan = BatchPlan(np.arange(count) + 100, size, codes, shuffle, seed)
    batches = list(plan.epoch(0))
    rows = np.concatenate(batches)
    assert sorted(rows) == list(range(100, 100 + count)) and len(batches) == plan.steps
    assert all(len(batch) <= (size if codes is None else 2 * size - 1) for batch in batches)
    if codes is not None:
        for code in set(codes) - {-1}:
            holders = sum((codes[batch - 100] == code).any() for batch in batches)
            members = int((codes == code).sum())
            assert holders <= -(-members // size)  # only a group larger than a batch is cut


def test_plan_is_a_function_of_seed_and_epoch() -> None:
    groups = np.arange(100) // 3
    one, two = (BatchPlan(np.arange(100), 10, groups, seed=7) for _ in range(2))
    list(one.epoch(0))
    assert all(np.array_equal(a, b) for a, b in zip(one.epoch(3), two.epoch(3), strict=True))
    rest = list(two.epoch(3, skip=2))
    assert np.array_equal(rest[0], list(one.epoch(3))[2]) and len(rest) == one.steps - 2
    assert not np.array_equal(np.concatenate(list(one.epoch(0))), np.concatenate(list(one.epoch(1))))


def test_plan_shares_batches_between_processes() -> None:
    plans = [BatchPlan(np.arange(40), 4, shuffle=True, part=part, parts=2) for part in range(2)]
    rows = [np.concatenate(list(plan.epoch(0))) for plan in plans]
    assert sorted(np.concatenate(rows)) == list(range(40)) and plans[0].steps == plans[1].steps == 5


def test_batches_of_similar_lengths() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 40, 1000)
    rows = np.arange(1000) + 5
    loose, tight = BatchPlan(rows, 32, seed=1), BatchPlan(rows, 32, seed=1, lengths=lengths)
    assert padded_share(loose, lengths) > 0.4 and padded_share(tight, lengths) < 0.1
    for epoch in (0, 1):
        seen = np.concatenate(list(tight.epoch(epoch)))
        assert sorted(seen.tolist()) == rows.tolist()
    first, second = ([batch.tolist() for batch in tight.epoch(epoch)] for epoch in (0, 1))
    assert first != second and first == [batch.tolist() for batch in tight.epoch(0)]
    assert [len(batch) for batch in first] == [32] * 31 + [8]
    means = [lengths[np.array(batch) - 5].mean() for batch in first[:-1]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5  # long ones do not come last
