import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fakes import picture
from plait.data.batches import Cache, InputSpec, TableSource, TensorSource
from plait.data.loader import load
from plait.data.plan import BatchPlan, padded_share
from plait.data.table import Table
from plait.errors import DataError
from plait.processors import ImageProcessor, TabularProcessor, TextProcessor


class Counting(ImageProcessor):
    """Counts what it decodes."""

    calls = 0

    def __call__(self, value):
        self.calls += 1
        return super().__call__(value)


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    for name in ("red", "green", "blue"):
        picture(tmp_path / f"{name}.png", name)
    frame = pd.DataFrame(
        {
            "photo": ["red.png", "red.png;blue.png", None, "green.png", "red.png"],
            "title": ["a b", "a b", "", "c", None],
            "price": [1.0, None, 3.0, 4.0, 5.0],
        }
    )
    text = TextProcessor.train(["a b", "c"], vocab_size=300)
    tabular = TabularProcessor.fit({"price": frame["price"]}, ["price"], [], [])
    specs = {
        "photo": InputSpec(("photo",), Counting(8), "image"),
        "title": InputSpec(("title",), text, "text"),
        "tabular": InputSpec(("price",), tabular, "tabular"),
    }
    return TableSource(Table.from_frame(frame, tmp_path), specs, {"y": np.arange(5)}, cache=Cache(10**6))


def test_distinct_values_are_prepared_once_and_indexed(source: TableSource) -> None:
    batch = source.batch(np.array([0, 1, 2, 3, 4]))
    photo, title = batch.inputs["photo"], batch.inputs["title"]
    assert photo.features["pixels"].shape == (3, 3, 8, 8)
    assert photo.index.tolist() == [[0, -1], [0, 1], [-1, -1], [2, -1], [0, -1]]
    assert len(title.features["ids"]) == 2 and title.index.tolist() == [[0], [0], [-1], [1], [-1]]
    assert batch.inputs["tabular"].index is None
    assert batch.targets["y"].tolist() == [0, 1, 2, 3, 4]
    processor = source.inputs["photo"].processor
    source.batch(np.array([0, 3]))
    assert processor.calls == 3  # the cache gave the rest


def test_a_cache_without_room_holds_nothing(source: TableSource) -> None:
    source.cache = Cache(100)
    for _ in range(2):
        source.batch(np.array([0]))
    assert source.inputs["photo"].processor.calls == 2 and source.cache.room == 100


def test_a_column_that_the_table_lacks_is_absent_in_every_row(source: TableSource) -> None:
    source.table = Table(source.table.data.drop_columns(["photo", "price"]), source.table.root, "t")
    batch = source.batch(np.array([0, 1]))
    assert batch.inputs["photo"].empty and batch.inputs["photo"].index.tolist() == [[-1], [-1]]
    assert batch.inputs["tabular"].features["numbers"].isnan().all()


def test_problems_name_row_and_column(source: TableSource) -> None:
    (source.table.root / "green.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"row 4, column 'photo': .*green.png: expected an image"):
        source.batch(np.array([0, 3]))
    assert [problem["row"] for problem in source.find_problems(np.arange(5))] == [4]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_loader_keeps_order_and_raises_in_place(source: TableSource, workers: int) -> None:
    rows = [np.array([i % 5]) for i in range(20)]
    assert [batch.rows.item() for batch in load(source, rows, workers)] == [i % 5 for i in range(20)]
    loaded = load(source, [np.array([0]), np.array([99])], workers)
    assert next(loaded).rows.item() == 0
    with pytest.raises(Exception, match="out of bounds"):
        next(loaded)
    loaded.close()
    stopped = load(source, iter(rows), workers)
    next(stopped)
    stopped.close()  # leaves no thread that would decode on
    deadline = time.monotonic() + 10
    while threads := [t for t in threading.enumerate() if t.name.startswith("plait-load")]:
        assert time.monotonic() < deadline, threads
        time.sleep(0.01)


def test_tensor_source_indexes() -> None:
    x = torch.arange(12.0).view(6, 2)
    batch = TensorSource({"a": {"x": x}}, {"y": torch.arange(6)}).batch(np.array([4, 1]))
    assert batch.inputs["a"].features["x"].tolist() == [[8, 9], [2, 3]] and batch.targets["y"].tolist() == [4, 1]


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
