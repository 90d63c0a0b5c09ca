"""What a run fits before it trains."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fakes import fitted, frame
from plait.data.table import Table
from plait.errors import DataError


def test_rows_are_seen_as_often_as_said(colours: Path) -> None:
    from plait.runs.prepare import repeated

    table = Table.from_frame(pd.DataFrame({"times": [1, 3, None, 0]}))
    assert repeated(table, "times", np.array([0, 1, 2, 3])).tolist() == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("on_error", ["skip", "missing"])
def test_a_bad_cell_of_any_modality(on_error: str, tmp_path: Path) -> None:
    given = frame()
    bad = given.assign(a=[str(x) for x in given["a"]], d="2026-01-02")
    bad["d"] = [f"2026-01-{1 + i % 28:02d}" for i in range(len(bad))]
    bad.loc[3, "a"], bad.loc[5, "d"] = "oops", "someday"
    options: dict[str, Any] = {"types": {"a": "number", "d": "date"}}
    with pytest.raises(DataError, match=r"row 4: column 'a': expected a number, got 'oops'.*--on-error missing"):
        fitted(bad, tmp_path / "refuse", **options)
    predictor = fitted(bad, tmp_path / on_error, data={"on_error": on_error}, **options)
    told = (tmp_path / on_error / "run" / "problems.jsonl").read_text()
    assert "oops" in told and "someday" in told
    with pytest.raises(DataError, match="oops"):
        predictor.predict(bad)
    said = predictor.predict(bad, on_error=on_error)
    assert len(said) == len(bad)
    assert [row for row, answer in enumerate(said) if answer is None] == ([3, 5] if on_error == "skip" else [])
    problems: list[str] = []
    found = next(predictor.predict_frames(bad, problems=problems, on_error=on_error))
    assert len(problems) == 2 and found["y"].isna().sum() == (2 if on_error == "skip" else 0)


def test_a_bad_target_is_left_out(tmp_path: Path) -> None:
    given = frame().assign(y=lambda f: f["a"].astype(str))
    given.loc[7, "y"] = "unknown"
    options: dict[str, Any] = {"task": {"type": "regression"}}
    with pytest.raises(DataError, match="row 8: column 'y': expected a number, got 'unknown'"):
        fitted(given, tmp_path / "a", **options)
    assert len(fitted(given, tmp_path / "b", data={"on_error": "skip"}, **options).predict(given)) == 120
