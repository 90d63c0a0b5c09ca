"""Long tables as one series a row: what joins, what doesn't, and what a forecast may see."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from plait.cli import app
from plait.data.joining import join_series
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError
from plait.modalities import MODALITIES, Media
from plait.processors.series_cells import read_series


def table_of(**columns: Any) -> Table:
    return Table.from_frame(pd.DataFrame(columns))


def opened(table: Table, row: int, name: str = "series") -> Any:
    series = MODALITIES["series"]
    (piece,) = series.pieces(table.cells(name, [row])[0])
    return read_series(series.open(piece, Media(None)).content)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(-50, 50), st.floats(-9, 9)), min_size=1, max_size=40),
    st.lists(st.integers(0, 7), min_size=1, max_size=8),
)
def test_it_is_what_a_loop_over_all_rows_gives(steps: list[tuple[int, int, float]], rows: list[int]) -> None:
    long = table_of(who=[s[0] for s in steps], time=[float(s[1]) for s in steps], x=[s[2] for s in steps])
    first = table_of(who=rows)
    if not {s[0] for s in steps} & set(rows):
        with pytest.raises(DataError, match="no who of"):
            join_series(first, long, id="who", time="time")
        return
    joined = join_series(first, long, id="who", time="time")
    for row, who in enumerate(rows):
        expected = sorted([s[1:] for s in steps if s[0] == who], key=lambda s: s[0])
        cell = joined.table.cells("series", [row])[0]
        if not expected:
            assert cell is None and MODALITIES["series"].pieces(cell) == []
            continue
        assert cell["time"].tolist() == [time for time, _ in expected]
        assert cell["x"].tolist() == [x for _, x in expected]
        assert opened(joined.table, row).values[:, 0].tolist() == [x for _, x in expected]
    assert joined.without == [str(who) for who in rows if who not in {s[0] for s in steps}]
    assert set(joined.unused) == {str(s[0]) for s in steps} - {str(who) for who in rows}


def test_ids_are_values_and_moments_are_seconds() -> None:
    moments = pd.to_datetime(["2026-01-01 00:00:10", "2026-01-01 00:00:00", "2026-01-02 00:00:00"])
    long = table_of(who=["7", "7.0", "8"], at=moments, pulse=[3, 1, 9], oxygen=[None, 0.5, 0.1])
    joined = join_series(table_of(who=[7, 9]), long, id="who", time="at", name="vital")
    series = opened(joined.table, 0, "vital")
    assert series.names == ("pulse", "oxygen") and np.diff(series.times).tolist() == [10.0]
    assert series.values[0].tolist() == [1.0, 0.5] and series.values[1, 0] == 3 and np.isnan(series.values[1, 1])
    assert joined.describe() == [
        "vital: 2 steps in 2 rows",
        "1 rows have no step (9); they lack the series",
        "1 ids of the series are in no row (8); left out",
    ]
    schema = infer_schema(joined.table)
    assert schema["vital"].modality == "series" and "records" in schema["vital"].reason


def test_a_forecast_sees_nothing_of_what_is_to_come() -> None:
    long = table_of(who=["a"] * 5, time=[0.0, 10.0, 20.0, 30.0, 40.0], x=[0.0, 1.0, 2.0, 3.0, 4.0])
    rows = table_of(who=["a", "a", "a", "a"], now=[20.0, 35.0, -1.0, None])
    joined = join_series(rows, long, id="who", time="time", before="now", last=15.0)
    cells = joined.table.cells("series", range(4))
    assert [None if cell is None else cell["x"].tolist() for cell in cells] == [[1.0, 2.0], [2.0, 3.0], None, None]


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"id": "whom"}, "there is no column 'whom'; did you mean 'who'"),
        ({}, {"name": "who"}, "has a column 'who' already"),
        ({}, {"last": 3.0}, "name its column with before"),
        ({"x": [1.0, "high"]}, {}, "row 2: .*'high'.*--channels"),
        ({"time": ["2026-01-01", "soon"]}, {}, "row 2, column 'time': expected seconds or an ISO moment, got 'soon'"),
        ({"who": ["p", "q"]}, {}, r"no who of the frame \(a\) is in the frame \(p, q\)"),
        ({}, {"before": "day"}, "day holds moments and time numbers"),
        ({"at": [3.0, 4.0]}, {"time": "at"}, "the channel 'time' would be taken for the moment of a step"),
        ({"time": ["2026-01-01T00:00:00Z"] * 2}, {"before": "day"}, "one has a time zone and the other has none"),
    ],
)
def test_what_does_not_join_is_one_line(change: dict[str, Any], options: dict[str, Any], said: str) -> None:
    long = {"who": ["a", "a"], "time": [0.0, 1.0], "x": [1.0, 2.0], **change}
    rows = table_of(who=["a"], day=pd.to_datetime(["2026-01-01"]))
    with pytest.raises(DataError, match=said):
        join_series(rows, table_of(**long), **{"id": "who", "time": "time", **options})


def test_the_command_writes_a_table_that_trains(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = ["up" if n % 2 else "down" for n in range(40)]
    pd.DataFrame({"who": range(40), "kind": kinds}).to_csv(tmp_path / "rows.csv", index=False)
    steps = [
        {"who": n, "time": t, "x": round(float((1 if kinds[n] == "up" else -1) * t + random.normal()), 3)}
        for n in range(39)
        for t in range(12)
    ]
    pd.DataFrame(steps).sample(frac=1, random_state=0).to_csv(tmp_path / "steps.csv", index=False)
    made = tmp_path / "joined.parquet"
    run = CliRunner()
    arguments = ["join", str(tmp_path / "rows.csv"), str(tmp_path / "steps.csv"), "--series", "who,time"]
    result = run.invoke(app, [*arguments, "-o", str(made)])
    assert result.exit_code == 0, result.output
    assert "1 rows have no step (39)" in result.output and pq.read_schema(made).names == ["who", "kind", "steps"]
    from plait import Predictor

    settings = {"method": "linear"}
    inputs = {"steps": {"encoder": "fixed:series_statistics"}}
    predictor = Predictor("kind", fusion=settings, inputs=inputs, train={"device": "cpu"}, verbose=False)
    predictor.fit(str(made))
    assert predictor.evaluate(str(made))["accuracy"] >= 0.95
    wrong = run.invoke(app, [*arguments[:-1], "who", "-o", str(made)])
    assert isinstance(wrong.exception, DataError) and "expected two columns" in str(wrong.exception)


def test_records_in_json_lines_and_frames_are_series(tmp_path: Path) -> None:
    steps = [{"time": f"2026-01-01T00:00:{n:02}", "x": n, "y": None if n == 1 else n / 2} for n in range(3)]
    path = tmp_path / "t.jsonl"
    several = [[{**step, "x": step["x"] + n} for step in steps] for n in range(10)]
    path.write_text("".join(json.dumps({"who": n, "s": one}) + "\n" for n, one in enumerate(several)))
    records = np.array([(0.0, 1.0), (5.0, np.nan)], dtype=[("time", "f8"), ("x", "f8")])
    for table, times in (
        (open_table(path), [0.0, 1.0, 2.0]),
        (Table.from_frame(pd.DataFrame({"s": several})), [0.0, 1.0, 2.0]),
        (Table.from_frame(pd.DataFrame({"s": [records, records[:1]] * 10})), [0.0, 5.0]),
    ):
        assert infer_schema(table)["s"].modality == "series"
        series = opened(table, 0, "s")
        assert (series.times - series.times[0]).tolist() == times
        assert np.isnan(series.values).sum() == 1


def test_long_cells_are_told_apart() -> None:
    long = table_of(who=[0] * 3000 + [1] * 3000, time=np.tile(np.arange(3000.0), 2), x=np.zeros(6000))
    joined = join_series(table_of(who=[0, 1, 1]), long, id="who", time="time").table
    assert joined.codes("series")[0].tolist() == [0, 0, 0]
    long = table_of(who=[0] * 3000 + [1] * 3000, time=np.tile(np.arange(3000.0), 2), x=np.arange(6000) == 4500)
    joined = join_series(table_of(who=[0, 1, 1]), long, id="who", time="time").table
    assert joined.codes("series")[0].tolist() == [0, 1, 1]  # they differ where a printed array is cut
