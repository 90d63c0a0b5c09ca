"""Answers of a run, to files and the terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from fakes import frame
from plait import Predictor
from plait.data.table import Table
from plait.errors import DataError
from plait.inference.predict import ParquetWriter, TextWriter, predict_row, predict_table, write_frames
from plait.recipe import Recipe
from plait.runs.folder import RunFolder
from plait.runs.prepare import prepare
from plait.training.checkpoint import save_tensors


def parts_of(table: Table) -> Iterator[pd.DataFrame]:
    """Rows 1 and 2, then row 3; the answer is the row's text in capitals."""
    for rows in ([0, 1], [2]):
        words = table.cells("t", rows)
        yield pd.DataFrame({"row": [row + 1 for row in rows], "y": [word.upper() for word in words]})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pd.DataFrame({"t": ["red", "grün", "blue"], "y": ["r", "g", "b"], "n": [1, 2, 3]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    return tmp_path / "t.csv"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_parts_are_one_file_with_what_is_kept(ending: str, table: Path) -> None:
    out = table.parent / f"out.{ending}"
    assert write_frames(parts_of, table, out, ["n", "y", "n"]) == 3
    read: dict[str, Any] = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    found = pd.read_json(out, lines=True) if ending == "jsonl" else read[ending](out)
    assert found.astype(str).to_dict("list") == {
        "row": ["1", "2", "3"], "n": ["1", "2", "3"], "y_given": ["r", "g", "b"], "y": ["RED", "GRÜN", "BLUE"],
    }  # fmt: skip
    assert {path.name for path in table.parent.iterdir()} == {"t.csv", out.name}


def test_the_terminal_gets_csv_or_json_lines(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_frames(parts_of, table, None, [])
    assert capsys.readouterr().out == "row,y\n1,RED\n2,GRÜN\n3,BLUE\n"  # one header for all parts
    write_frames(parts_of, table, None, [], as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == {"row": 2, "y": "GRÜN"} and len(lines) == 3


def test_what_fails_in_the_middle_leaves_no_file(table: Path) -> None:
    def broken(opened: Table) -> Iterator[pd.DataFrame]:
        yield next(parts_of(opened))
        raise DataError("row 3 is odd")

    for ending in ("csv", "parquet"):
        with pytest.raises(DataError, match="row 3 is odd"):
            write_frames(broken, table, table.parent / f"out.{ending}", [])
    with pytest.raises(DataError, match="unknown column 'z'"):
        write_frames(parts_of, table, table.parent / "out.csv", ["z"])
    with pytest.raises(DataError, match=r"out\.xlsx: unknown ending '\.xlsx'"):
        predict_table(table.parent / "no run", table, table.parent / "out.xlsx", [])
    assert [path.name for path in table.parent.iterdir()] == ["t.csv"]


def test_a_part_without_answers_is_of_the_type_of_the_others(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path / "p.parquet")
    writer.write(pd.DataFrame({"row": [1], "p": [0.5]}))
    writer.write(pd.DataFrame({"row": [2], "p": [None]}))
    writer.close()
    file = pq.ParquetFile(tmp_path / "p.parquet")
    assert file.num_row_groups == 2 and file.read()["p"].to_pylist() == [0.5, None]
    text = TextWriter(tmp_path / "p.csv", lines=False)
    text.close()
    assert text.file.closed and (tmp_path / "p.csv").read_text() == ""


def test_one_row_is_answered_from_pairs(tmp_path: Path) -> None:
    recipe = Recipe.parse({"task": {"target": "y"}, "inputs": {"a": {"modality": "number"}}, "fusion": {"dim": 8}})
    made = prepare(recipe, Table.from_frame(frame(30)))
    run = RunFolder(tmp_path / "run")
    run.save_setup(made.recipe, made.schema, made.inputs, made.targets, made.model.encoders)
    save_tensors(made.model.state_dict(), run.weights)
    chances = Predictor.load(run.path).predict_proba(pd.DataFrame({"a": [1.5]}))
    said = predict_row(tmp_path / "run", ["a=1.5"])
    assert list(said) == ["y", "y_probability", "y_p_b", "y_p_s"]
    assert said["y_p_b"] == pytest.approx(float(chances[0, 0]), abs=1e-6)
    for pairs, message in (
        (["a"], "--set a: expected COLUMN=VALUE"),
        (["aa=1"], "--set aa=1: unknown column 'aa'; did you mean 'a'"),
        ([], "no values given; the model reads a"),
    ):
        with pytest.raises(DataError, match=message):
            predict_row(tmp_path / "run", pairs)


@pytest.mark.parametrize(("classes", "expected"), [([3, 7], 3), ([False, True], False), (["3", "7"], "3")])
def test_one_row_is_answered_in_the_tables_own_type(classes: list[Any], expected: Any, tmp_path: Path) -> None:
    """`--set` once gave a class that is a whole number back as 3.0, since a row of a frame has one type."""
    frame = pd.DataFrame({"size": [n / 8 for n in range(60)], "kind": [classes[0]] * 30 + [classes[1]] * 30})
    options = {"types": {"size": "number"}, "train": {"epochs": 3}, "output": tmp_path / "run"}
    predictor = Predictor("kind", verbose=False, **options).fit(frame)
    answer = predict_row(tmp_path / "run", ["size=0.5"])["kind"]
    assert answer == expected and type(answer) is type(expected)
    assert predictor.predict(pd.DataFrame({"size": [0.5]})).tolist() == [answer]
