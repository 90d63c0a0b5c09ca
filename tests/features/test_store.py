"""The feature store: what is written is read, whatever is killed, torn or written twice."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import RunError, StoreError
from plait.features.store import RECORD, FeatureStore, prune, stores
from plait.modalities.media import content_key

META = {"width": 4, "dtype": "float32", "encoder": "fake"}


def keys_of(count: int, first: int = 0) -> list[bytes]:
    return [content_key(str(number).encode()) for number in range(first, first + count)]


def rows_of(count: int, first: int = 0, tokens: int = 1) -> list[np.ndarray]:
    return [np.full((tokens, 4), number, dtype=np.float32) for number in range(first, first + count)]


def test_what_is_written_is_read_by_another(tmp_path: Path) -> None:
    FeatureStore(tmp_path / "a", META).add(keys_of(5), rows_of(5))
    store = FeatureStore(tmp_path / "a", META)
    assert len(store) == 5
    order = store.positions([*keys_of(2, 3), content_key(b"unknown")])
    assert order.tolist() == [3, 4, -1]
    x, mask, _ = store.read(order)
    assert x[:, 0, 0].tolist() == [3, 4, 0] and mask[:, 0].tolist() == [True, True, False]


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=12), picks=st.lists(st.integers(-1, 11), min_size=1))
def test_rows_of_any_length(lengths: list[int], picks: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("s") / "a", META)
    random = np.random.default_rng(0)
    rows = [random.normal(size=(length, 4)).astype(np.float32) for length in lengths]
    store.add(keys_of(len(rows)), rows)
    picks = [pick if pick < len(rows) else -1 for pick in picks]
    x, mask, _ = store.read(np.array(picks))
    for position, pick in enumerate(picks):
        expected = rows[pick] if pick >= 0 else np.zeros((0, 4))
        np.testing.assert_array_equal(x[position][mask[position]], expected)
        assert not x[position][~mask[position]].any()


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8), width=st.sampled_from([2, 4]))
def test_where_tokens_lie_is_kept_as_it_was(
    lengths: list[int], width: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In float32 beside vectors of float16: hours in seconds would lose their seconds there."""
    folder, random = tmp_path_factory.mktemp("s") / "a", np.random.default_rng(0)
    meta = {"width": 4, "dtype": "float16", "where": width}
    rows = [np.ones((length, 4), np.float32) for length in lengths]
    where = [random.uniform(0, 20_000, (length, width)).astype(np.float32) for length in lengths]
    for start in range(0, len(rows), 3):  # written in turns, by stores that don't know of each other
        store = FeatureStore(folder, meta)
        store.add(keys_of(len(rows))[: start + 3], rows[: start + 3], where[: start + 3])
    x, mask, lies = FeatureStore(folder, meta).read(np.array([*range(len(rows)), -1]))
    assert lies is not None and lies.dtype == np.float32 and x.dtype == np.float16
    for position, expected in enumerate([*where, np.zeros((0, width))]):
        np.testing.assert_array_equal(lies[position][mask[position]], expected)
        assert not lies[position][~mask[position]].any()


def test_a_torn_or_changed_file_of_places_costs_its_rows_only(tmp_path: Path) -> None:
    meta = {**META, "where": 2}
    where = [np.full((1, 2), number, np.float32) for number in range(3)]
    FeatureStore(tmp_path / "a", meta).add(keys_of(3), rows_of(3), where)
    file = tmp_path / "a" / "where.bin"
    data = file.read_bytes()
    file.write_bytes(data[:-3])
    assert FeatureStore(tmp_path / "a", meta).positions(keys_of(3)).tolist() == [0, 1, -1]
    file.write_bytes(b"\0\0\0\1" + data[4:])
    assert FeatureStore(tmp_path / "a", meta).positions(keys_of(3)).tolist() == [-1, 1, 2]
    with pytest.raises(RunError, match="another where"):
        FeatureStore(tmp_path / "a", META)


def test_a_kill_between_vectors_and_index_loses_only_that_row(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "a", META)
    store.add(keys_of(3), rows_of(3))
    with (tmp_path / "a" / "rows.bin").open("ab") as file:
        file.write(b"half a row")
    with (tmp_path / "a" / "index.bin").open("ab") as file:
        file.write(b"torn entry")
    again = FeatureStore(tmp_path / "a", META)
    assert len(again) == 3 and again.damaged == 0
    again.add(keys_of(2, 3), rows_of(2, 3))
    x, _, _ = FeatureStore(tmp_path / "a", META).read(np.arange(5))
    assert x[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert (tmp_path / "a" / "index.bin").stat().st_size == 5 * RECORD.itemsize


def test_a_truncated_or_changed_file_is_noticed_and_filled_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "a", META)
    store.add(keys_of(4), rows_of(4))
    rows = tmp_path / "a" / "rows.bin"
    os.truncate(rows, 3 * 16 - 1)  # the third and fourth are gone
    again = FeatureStore(tmp_path / "a", META)
    assert again.positions(keys_of(4)).tolist() == [0, 1, -1, -1] and again.damaged == 2
    again.add(keys_of(2, 2), rows_of(2, 2))
    data = bytearray(rows.read_bytes())
    data[0] ^= 255  # one bit pattern of the first row
    rows.write_bytes(data)
    third = FeatureStore(tmp_path / "a", META)
    assert third.verify() == 1
    assert third.positions(keys_of(4)).tolist() == [-1, 1, 2, 3]
    third.add(keys_of(1), rows_of(1))
    assert third.positions(keys_of(4)).tolist() == [4, 1, 2, 3]  # the later entry counts
    assert third.read(np.array([4]))[0].tolist() == [[[0, 0, 0, 0]]]


def test_another_shape_or_version_is_never_read(tmp_path: Path) -> None:
    FeatureStore(tmp_path / "a", META).add(keys_of(1), rows_of(1))
    with pytest.raises(RunError, match="holds features of another width \\(4, expected 5\\)"):
        FeatureStore(tmp_path / "a", {**META, "width": 5})
    meta = json.loads((tmp_path / "a" / "meta.json").read_text())
    (tmp_path / "a" / "meta.json").write_text(json.dumps({**meta, "format": 99}))
    with pytest.raises(RunError, match="another format"):
        FeatureStore(tmp_path / "a", META)
    (tmp_path / "a" / "meta.json").write_text("{")
    assert len(FeatureStore(tmp_path / "a", META)) == 0  # damaged: begun anew


def write_slowly(folder: Path, first: int) -> None:
    store = FeatureStore(folder, META)
    for number in range(first, first + 40, 5):
        store.add(keys_of(5, number), rows_of(5, number))


def test_two_writers_take_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_slowly, args=(tmp_path / "a", first)) for first in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = FeatureStore(tmp_path / "a", META)
    assert len(store) == 60 and store.verify() == 0  # 0..59, the shared twenty once
    x, _, _ = store.read(store.positions(keys_of(60)))
    assert x[:, 0, 0].tolist() == list(range(60))


def test_listing_and_pruning(tmp_path: Path) -> None:
    for name, age in (("old", 100), ("new", 0)):
        FeatureStore(tmp_path / name, META).add(keys_of(2), rows_of(2))
        then = time.time() - age * 86_400
        os.utime(tmp_path / name / "meta.json", (then, then))
    (tmp_path / "broken").mkdir()
    listed = [info for info, _ in stores(tmp_path)]
    assert [(info.name, info.rows) for info in listed] == [("new", 2), ("old", 2), ("broken", 0)]
    assert {info.name for info in prune(time.time() - 30 * 86_400, tmp_path)} == {"old", "broken"}
    (tmp_path / "new" / "mine.txt").write_text("not plait's")
    prune(0, tmp_path, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]  # a folder with something else in it stays
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]
    assert stores(tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the feature store can't be written"):
        FeatureStore(tmp_path / "file" / "a", META)


def test_a_store_that_can_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [content_key(b"a"), content_key(b"b")]
    FeatureStore(tmp_path / "a", META).add(keys[:1], [np.ones((1, 4), np.float32)])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    store = FeatureStore(tmp_path / "a", META)
    assert not store.writable and store.positions(keys).tolist() == [0, -1]
    with pytest.raises(StoreError, match="Permission denied"):
        store.add(keys[1:], [np.ones((1, 4), np.float32)])
    assert len(stores(tmp_path)) == 1
