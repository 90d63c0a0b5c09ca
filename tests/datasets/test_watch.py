"""The watch's file is a pickle: arrays are read from it, and nothing else."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.datasets.watch import _ArraysOnly, write_watch
from plait.errors import DataError


def saved(path: Path, content: Any) -> Path:
    array = np.empty((), dtype=object)
    array[()] = content
    np.save(path, array, allow_pickle=True)
    return path


def test_a_row_a_recording_with_both_sensors(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    content = {
        "X": [random.normal(size=(60 + n, 6)) for n in range(4)],
        "y": np.array([0, 1, 0, 1]),
        "y_labels": ["PEN", "ROW"],
        "subject": np.array([1, 1, 2, 2]),
        "side": np.array([1.0, 0.0, 1.0, 0.0]),
    }
    (table,) = write_watch(tmp_path / "out", saved(tmp_path / "watch.npy", content))
    frame = pd.read_csv(table)
    assert frame.exercise.tolist() == ["pendulum", "upright row"] * 2 and frame.side.tolist() == ["right", "left"] * 2
    opened = np.load(tmp_path / "out" / frame.gyroscope[1])
    np.testing.assert_allclose(opened["values"], content["X"][1][:, 3:], rtol=1e-6)
    assert opened["times"][-1] == pytest.approx(60 / 50)
    schema = infer_schema(open_table(table))
    assert schema["accelerometer"].modality == schema["gyroscope"].modality == "series"


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("echo run > /dev/null",)


def test_what_is_no_array_is_never_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names .*system, which is no array"):
        write_watch(tmp_path / "out", saved(tmp_path / "bad.npy", Command()))
    for module, name in (("jax.numpy", "ndarray"), ("evil.multiarray", "_reconstruct")):
        unpickler = _ArraysOnly(io.BytesIO(f"c{module}\n{name}\n.".encode()))
        with pytest.raises(DataError, match="which is no array"):
            unpickler.load()
    (tmp_path / "cut.npy").write_bytes(saved(tmp_path / "a.npy", {"X": []}).read_bytes()[:-8])
    with pytest.raises(DataError, match="damaged"):
        write_watch(tmp_path / "out", tmp_path / "cut.npy")
