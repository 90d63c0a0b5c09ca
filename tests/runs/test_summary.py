"""What a run says before it trains, and the problems and answers that it leaves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait import console
from plait.data.batches import TableSource
from plait.data.table import Table
from plait.recipe import Recipe
from plait.runs import summary
from plait.runs.folder import RunFolder
from plait.runs.prepare import Part, prepare
from plait.runs.summary import announce, write_predictions, write_problems
from plait.tasks import Classification, Targets


def part_of(values: list[Any], rows: list[int]) -> Part:
    return Part(TableSource(Table.from_frame(pd.DataFrame({"y": values})), {}), np.array(rows))


def test_problems_are_a_line_each_and_no_file_where_there_are_none(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_problems(run, [])
    assert not list(tmp_path.iterdir())
    told = [{"row": 3, "part": "train", "problem": "Größe: no number"}, {"row": 9, "part": "val", "problem": "gone"}]
    write_problems(run, told)
    text = (tmp_path / "problems.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == told and "Größe" in text


def test_predictions_stand_beside_row_and_truth(tmp_path: Path) -> None:
    targets = Targets({"y": Classification(["no", "yes"])})
    found = {"y": np.array([[0.9, 0.1], [0.25, 0.75]])}
    write_predictions(RunFolder(tmp_path), targets, {"val": (part_of(["yes", "no", "yes"], [2, 1]), None, found)})
    frame = pd.read_parquet(tmp_path / "predictions.parquet")
    assert frame.to_dict("list") == {
        "part": ["val", "val"],
        "row": [3, 2],
        "y_true": ["yes", "no"],
        "y": ["no", "yes"],
        "y_probability": [0.9, 0.75],
        "y_p_no": [0.9, 0.25],
        "y_p_yes": [0.1, 0.75],
    }


def truth_of(test: list[Any], folder: Path) -> list[Any]:
    """What is written of truth that is whole numbers in one file and texts in the other."""
    found = {"y": np.array([[0.9, 0.1], [0.2, 0.8]])}
    scored = {"val": (part_of([1, 2], [0, 1]), None, found), "test": (part_of(test, [0, 1]), None, found)}
    write_predictions(RunFolder(folder), Targets({"y": Classification(["1", "2"])}), scored)
    frame = pd.read_parquet(folder / "predictions.parquet")
    assert frame["part"].tolist() == ["val", "val", "test", "test"]
    return frame["y_true"].tolist()


def test_truth_of_two_types_is_text(tmp_path: Path) -> None:
    assert truth_of(["2", "1"], tmp_path) == ["1", "2", "2", "1"]


def test_of_truth_of_two_types_what_is_missing_stays_missing(tmp_path: Path) -> None:
    assert pd.isna(truth_of(["2", None], tmp_path)[3])


def test_nothing_scored_writes_nothing(tmp_path: Path) -> None:
    write_predictions(RunFolder(tmp_path), Targets({"y": Classification(["a", "b"])}), {})
    assert not list(tmp_path.iterdir())


def test_columns_rows_and_parameters_are_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_COLUMNS", 2)
    frame = pd.DataFrame({f"x{n}": np.arange(20) % 7 / 4 + n for n in range(4)} | {"y": ["a", "b"] * 10})
    recipe = Recipe.parse({"task": {"target": "y"}, "data": {"val": 0.2}, "fusion": {"dim": 8}})
    prepared = prepare(recipe, Table.from_frame(frame))
    prepared.notes.append("a note")
    monkeypatch.setattr(console.stderr, "_width", 200)
    announce(prepared, RunFolder(tmp_path / "run"))
    said = capsys.readouterr().err
    assert "… and 3 more columns, all in schema.json" in said and "a note" in said
    assert f"rows: 16 train, 4 val; run folder: {tmp_path / 'run'}" in said
    assert "encoder tabular" in said and "x0" in said and "x2" not in said
