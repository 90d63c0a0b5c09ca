"""Series on one scale, with true times; nothing is filled in."""

import io

import numpy as np
import pandas as pd
import pytest

from plait.errors import DataError, DataWarning, RecipeError
from plait.processors import SeriesProcessor
from plait.processors import series as module
from plait.processors.series import averaged, on_clock
from plait.processors.series_cells import Series, as_bytes


def timed(values: list[float | None], times: list[float]) -> bytes:
    file = io.BytesIO()
    np.savez(file, values=np.array(values, dtype=np.float64), times=np.array(times))
    return file.getvalue()


def test_scale_and_step_are_those_of_training() -> None:
    random = np.random.default_rng(0)
    arrays = [random.normal(5, 3, (40 + n, 2)) * [1, 100] for n in range(6)]
    processor = SeriesProcessor.fit([*map(as_bytes, arrays), b"broken"])
    every = np.concatenate(arrays)
    np.testing.assert_allclose(processor.means, every.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(processor.deviations, every.std(axis=0), rtol=1e-5)
    features = processor(as_bytes(arrays[0]))
    np.testing.assert_allclose(features["values"], (arrays[0] - every.mean(0)) / every.std(0), atol=1e-4)
    assert processor.step == 1.0 and features["times"].tolist() == list(range(40))


def test_true_times_and_gaps() -> None:
    processor = SeriesProcessor.fit([timed([1, 2, 3, 4], [0, 5, 10, 15])])
    features = processor(timed([1, None, 4], [100.0, 105.0, 140.0]))
    assert processor.step == 5.0 and features["times"].tolist() == [0, 5, 40]
    assert features["there"][:, 0].tolist() == [True, False, True] and features["values"][1, 0] == 0


def test_a_channel_that_never_changes_is_not_blown_up() -> None:
    processor = SeriesProcessor.fit([as_bytes([[1.0, 7.0], [2.0, 7.0]])])
    assert np.isfinite(processor(as_bytes([[1.0, 8.0], [1.0, 7.0]]))["values"]).all() and processor.deviations[1] == 1


def test_other_channels_are_refused() -> None:
    processor = SeriesProcessor.fit([as_bytes([1, 2, 3])])
    with pytest.raises(DataError, match="expected a series of 1 channels, got 2"):
        processor(as_bytes([[1, 2], [3, 4]]))
    usual = SeriesProcessor.fit([as_bytes([[1, 2]]), as_bytes([1, 2, 3]), as_bytes([4, 5])])
    assert usual.means == [3.0], "those of fewer series are unusable cells, named where they are read"
    with pytest.raises(DataError, match="no series can be read"):
        SeriesProcessor.fit([b"x"])


def test_long_series_are_averaged_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", set())
    processor = SeriesProcessor.fit([as_bytes(np.arange(100.0))], steps=10)
    with pytest.warns(DataWarning, match="of 100 steps was averaged to 10; raise the input's steps"):
        features = processor(as_bytes(np.arange(100.0)))
    assert features["times"].tolist() == list(range(0, 100, 10))
    whole = averaged(Series(np.arange(100, dtype=np.float32)[:, None]), 10)
    assert whole.values[:, 0].tolist() == [4.5 + 10 * n for n in range(10)]
    gap = averaged(Series(np.array([[1.0], [np.nan], [np.nan], [np.nan]], np.float32)), 2)
    assert gap.values[0, 0] == 1 and np.isnan(gap.values[1, 0])


def test_a_large_level_hides_nothing() -> None:
    """A meter's counter: what varies is a ten-billionth of the level."""
    random = np.random.default_rng(0)
    arrays = [1e8 + 0.01 * random.normal(size=200) for _ in range(5)]
    processor = SeriesProcessor.fit(map(as_bytes, arrays))
    assert processor.deviations[0] == pytest.approx(np.concatenate(arrays).std(), rel=1e-3)
    scaled = processor(as_bytes(arrays[0]))["values"][:, 0]
    np.testing.assert_allclose(scaled, (arrays[0] - 1e8) / processor.deviations[0], atol=0.2)


def test_a_number_beyond_float32_is_a_gap() -> None:
    processor = SeriesProcessor.fit([as_bytes([1, 2, 1e300, 10**400, 3])])
    assert processor.means == [2.0] and np.isfinite(processor.deviations).all()
    assert processor(as_bytes([1, 1e300]))["there"][:, 0].tolist() == [True, False]


def test_channels_of_files_go_by_their_names() -> None:
    processor = SeriesProcessor.fit([b"time,x,y\n0,1,10\n1,2,20\n"])
    one, other = processor(b"time,x,y\n0,1,10\n1,2,20\n"), processor(b"time,y,x\n0,10,1\n1,20,2\n")
    np.testing.assert_array_equal(one["values"], other["values"])
    with pytest.raises(DataError, match="expected the channels x, y, got x, z"):
        processor(b"time,x,z\n0,1,10\n1,2,20\n")


def test_unequal_lengths_are_padded_and_known() -> None:
    processor = SeriesProcessor.fit([as_bytes([1, 2, 3])])
    batch = processor.collate([processor(as_bytes(list(range(n)))) for n in (3, 1, 5)])
    assert batch["mask"].sum(dim=1).tolist() == [3, 1, 5] and not batch["there"][1, 1:].any()


def test_a_clock_is_what_pandas_resamples() -> None:
    random = np.random.default_rng(0)
    times = np.sort(random.uniform(0, 60, 40)).round(3)
    times[0] = 0.0
    values = random.normal(size=(40, 2)).round(3)
    values[random.random((40, 2)) < 0.1] = np.nan
    series = on_clock(Series(values, times), 2.0, 0.0)
    frame = pd.DataFrame(values, index=np.round(times / 2.0).astype(int))
    expected = frame.groupby(level=0).mean().reindex(range(len(series.values))).to_numpy()
    np.testing.assert_allclose(series.values, expected)
    assert series.times is not None and np.diff(series.times).tolist() == [2.0] * (len(series.values) - 1)


def test_only_gaps_that_a_clock_may_bridge_are_bridged() -> None:
    data = b"time,x\n0,0\n1,10\n3,30\n9,90\n"
    made = {
        bridge: SeriesProcessor.fit([data], clock=1.0, bridge=bridge)(data)["there"][:, 0].tolist()
        for bridge in (None, 2.0, 6.0)
    }
    assert made[None] == [True, True, False, True] + [False] * 5 + [True]
    assert made[2.0] == [True] * 4 + [False] * 5 + [True] and all(made[6.0])
    with pytest.raises(DataError, match="needs times"):
        SeriesProcessor([0.0], [1.0], clock=1.0)(as_bytes([1, 2, 3]))
    with pytest.raises(DataError, match="more than 10,000,000"):
        SeriesProcessor([0.0], [1.0], clock=1e-7)(data)
    with pytest.raises(RecipeError, match="set the input's clock"):
        SeriesProcessor([0.0], [1.0], bridge=1.0)
