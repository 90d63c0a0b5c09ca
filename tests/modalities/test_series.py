"""Columns of series: recognised among other lists, checked, shown, in training and prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait import Predictor
from plait.checks.health import check
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError
from plait.modalities import SERIES, Media, Opened
from plait.processors.series_cells import as_bytes

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("cells", "modality"),
    [
        ([[float(n) for n in range(20)], [1.0] * 12], "series"),
        ([[[1.0, 2.0]] * 9, [[3.0, 4.0]] * 11], "series"),
        ([np.arange(30.0), np.arange(25.0)], "series"),
        ([RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(20, 3))], "series"),
        ([np.arange(9), np.arange(12)], "series"),
        (["a.npy", "b.npz"], "series"),
        (["[1, 2, 3, 4, 5, 6, 7, 8]", "[1.5, null, 3, 4, NaN, 6, 7, 8, 9]"], "series"),
        (["[1. 2. 3. 4. 5. 6.\n 7. 8.]", "[0.5 1. 1. 1. 1. 1. 1. 1.]"], "series"),
        (["[red] a bird on a branch", "[blue] another bird in a tree"], "text"),
        ([[1, 2], [3]], "ignore"),
        ([["a", "b"], ["c"]], "ignore"),
        ([np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8)], "image"),
    ],
)
def test_lists_are_told_apart(cells: list[Any], modality: str) -> None:
    table = Table.from_frame(pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
    column = infer_schema(table)["x"]
    assert column.modality == modality, column.reason
    assert not (modality == "series" and column.many), "a list is one series, not a set of values"


def test_arrays_and_lists_of_one_column_are_one_series() -> None:
    wave = [1.0, None, 3.0]
    keys = {
        SERIES.key(SERIES.open(piece, Media(None)))
        for cell in (wave, np.array([1, np.nan, 3]))
        for piece in SERIES.pieces(cell)
    }
    assert len(keys) == 1 and SERIES.pieces([]) == [] and SERIES.pieces(None) == []


def test_what_is_wrong_with_a_cell_shows_when_it_is_opened() -> None:
    cut = [("[1. 2. ... 3.]", r"got '\[1\. 2\. \.\.\. 3\.\]'"), ("[1. 2. 3.", r"got '\[1\. 2\. 3\.'")]
    for cell, named in (([1, "x"], "got 'x'"), *cut):
        (piece,) = SERIES.pieces(cell)
        with pytest.raises(DataError, match=named):
            SERIES.open(piece, Media(None))


def test_lists_as_text_are_the_lists() -> None:
    keys = {
        SERIES.key(SERIES.open(piece, Media(None)))
        for cell in (
            [1, None, 3.5],
            "[1, null, 3.5]",
            "[1. nan 3.5]",
            "[1, NaN, 3.5]",
            str([1, np.nan, np.float64(3.5)]),
        )
        for piece in SERIES.pieces(cell)
    }
    assert len(keys) == 1
    for rows in (np.array([[1.5, 2], [3, 4e-7]]), np.arange(6).reshape(3, 2) - 2):
        for text in (str(rows), str(rows.tolist()), str([tuple(row) for row in rows.tolist()])):
            ((piece,), (same,)) = SERIES.pieces(text), SERIES.pieces(rows)
            assert piece == same, text


def test_one_odd_cell_of_a_frame_is_one_unusable_cell(tmp_path: Path) -> None:
    """It took the whole column with it, in prediction with no word."""
    waves = [np.sin((0.4 + n % 2) * np.arange(30)) for n in range(60)]
    frame = pd.DataFrame({"sensor": waves, "label": [["slow", "fast"][n % 2] for n in range(60)]})
    predictor = Predictor(
        "label",
        output=tmp_path / "run",
        inputs={"sensor": {"modality": "series", "encoder": "fixed:minirocket"}},
        fusion={"method": "linear"},
        verbose=False,
    ).fit(frame)
    cells = [waves[0].tolist(), waves[1], pd.Series(waves[2]), torch.tensor(waves[3]), [1.0, "x"]]
    with pytest.raises(DataError, match="row 5, column 'sensor'.*got 'x'"):
        predictor.predict(pd.DataFrame({"sensor": cells}))
    assert list(predictor.predict(pd.DataFrame({"sensor": cells[:4]}))) == ["slow", "fast"] * 2
    with pytest.raises(DataError, match="column 'sensor' can't be read: its cells are object objects"):
        predictor.predict(pd.DataFrame({"sensor": [object(), object()]}))


def test_different_series_of_one_length_are_not_the_same() -> None:
    rows = pd.DataFrame({"sensor": [RANDOM.normal(size=50) for _ in range(40)], "label": list("ab" * 20)})
    table = Table.from_frame(rows)
    schema = infer_schema(table, roles={"label": "the target"})
    health = check({"train": (table, np.arange(30)), "val": (table, np.arange(30, 40))}, schema, ["label"])
    assert not [one.message for one in health.findings if "duplicate" in one.kind]


def test_a_check_names_what_is_odd(tmp_path: Path) -> None:
    for number in range(6):
        np.savez(tmp_path / f"{number}.npz", values=RANDOM.normal(size=9), times=np.arange(9.0))
    np.savez(tmp_path / "unsorted.npz", values=np.arange(4.0), times=[3.0, 1, 2, 0])
    np.savez(tmp_path / "twice.npz", values=np.arange(4.0), times=[0.0, 1, 1, 2])
    np.savez(tmp_path / "empty.npz", values=np.full(4, np.nan))
    (tmp_path / "bad.npz").write_bytes(b"PK bad")
    names = [*(f"{n}.npz" for n in range(6)), "unsorted.npz", "twice.npz", "empty.npz", "bad.npz"]
    pd.DataFrame({"sensor": names, "label": list("ab" * 5)}).to_csv(tmp_path / "t.csv", index=False)
    table = open_table(tmp_path / "t.csv")
    health = check({"train": (table, np.arange(10))}, infer_schema(table, roles={"label": "the target"}), ["label"])
    found = {one.kind: one for one in health.findings}
    assert {"unsorted_times", "duplicate_times", "empty_series", "unusable_series"} <= found.keys()
    assert found["unusable_series"].level == "error" and "bad.npz" in found["unusable_series"].examples[0]


def test_a_picture_breaks_its_line_where_there_is_a_gap() -> None:
    whole, holed = np.sin(np.arange(60.0)), np.sin(np.arange(60.0))
    holed[20:40] = np.nan
    drawn = [np.asarray(SERIES.show(Opened(as_bytes(one)), 160).image.convert("L")) for one in (whole, holed)]
    assert drawn[0].shape == (53, 160)
    middle = [int((one[:, 60:100] < 200).sum()) for one in drawn]
    assert middle[0] > 100 and middle[1] == 0
    assert SERIES.show(Opened(as_bytes([[1, 2]] * 9)), 90).text == "9 steps of 2 channels"


@pytest.mark.parametrize("encoder", ["scratch:series_cnn", "fixed:minirocket"])
def test_from_rows_to_answers_and_back(tmp_path: Path, encoder: str) -> None:
    """Frames of arrays, a saved run, `predict` on lists: the same answers, and a missing series is a missing one."""
    waves = [np.sin((0.4 + n % 2) * np.arange(30 + n % 5)) + 0.1 * RANDOM.normal(size=30 + n % 5) for n in range(120)]
    rows = [{"sensor": wave, "label": ["slow", "fast"][n % 2]} for n, wave in enumerate(waves)]
    predictor = Predictor(
        "label",
        output=tmp_path / "run",
        inputs={"sensor": {"modality": "series", "encoder": encoder, "frozen": encoder.startswith("fixed")}},
        train={"epochs": 15, "device": "cpu", "precision": "float32", "learning_rate": 0.002},
        verbose=False,
    ).fit(pd.DataFrame(rows))
    assert predictor.metrics_["val"]["accuracy"] > 0.8
    again = Predictor.load(tmp_path / "run")
    lists = [{"sensor": row["sensor"].tolist()} for row in rows[:6]]
    assert list(again.predict(lists)) == list(predictor.predict(pd.DataFrame(rows[:6])))
    chances = np.asarray(again.predict_proba([{"sensor": None}, {"sensor": [None] * 9}, lists[0]]))
    np.testing.assert_allclose(chances[0], chances[1], rtol=1e-5)


def test_noises_do_what_they_say() -> None:
    from plait.modalities.series_noises import drifted, with_gap, without_channels
    from plait.processors.series_cells import read_series

    steps = as_bytes(RANDOM.normal(size=(100, 8)))
    holed = read_series(with_gap(steps, 0.25, np.random.default_rng(0))).values
    missing = np.isnan(holed).all(axis=1)
    assert missing.sum() == 25 and np.diff(np.flatnonzero(missing)).max() == 1
    lost = np.isnan(read_series(without_channels(steps, 0.75, np.random.default_rng(0))).values).all(axis=0)
    assert 3 <= lost.sum() <= 7 and not np.isnan(read_series(without_channels(steps, 1.0, RANDOM)).values).all()
    away = read_series(drifted(steps, 2.0, np.random.default_rng(0))).values - read_series(steps).values
    np.testing.assert_allclose(np.abs(away[-1]), 2 * read_series(steps).values.std(axis=0), rtol=1e-3)
