"""Rows of a glucose monitor: what they may see, and what they are asked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.datasets.glucose import write_glucose
from plait.errors import DataError


def test_rows_see_four_hours_and_are_asked_for_an_hour_later(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=600, freq="5min").delete(range(200, 230))
    read = pd.DataFrame({"isig": 20.0, "datetime": times, "glucose": np.arange(len(times)) + 100})
    read["isig"] = read["isig"].astype(object)
    read.loc[3, "isig"] = "nil"
    read = pd.concat([read, read.iloc[:1]])
    read.sample(frac=1, random_state=0)[["isig", "datetime", "glucose"]].to_csv(tmp_path / "c.csv.gz", index=False)
    (path,) = write_glucose(tmp_path, tmp_path / "c.csv.gz")
    frame = pd.read_parquet(path)
    glucose = dict(zip(times, range(100, 100 + len(times)), strict=True))
    assert set(frame["split"]) == {"train", "val", "test"} and frame["at"].is_monotonic_increasing
    for _, row in frame.iterrows():
        seen = [step["time"] for step in row["glucose"]]
        assert max(seen) == row["at"] and min(seen) >= row["at"] - pd.Timedelta(hours=4)
        assert row["in_60_minutes"] == glucose[row["at"] + pd.Timedelta(minutes=60)]
        assert [step["glucose"] for step in row["glucose"]][-1] == glucose[row["at"]]


def test_another_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"datetime": ["2020-01-01"], "x": [1]}).to_csv(tmp_path / "c.csv.gz", index=False)
    with pytest.raises(DataError, match="expected the columns isig, datetime, glucose, got datetime, x"):
        write_glucose(tmp_path, tmp_path / "c.csv.gz")
