"""Which rows train, validate and test."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import make
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.recipe import Recipe
from plait.runs.split import group_codes, split_rows


def test_groups_never_straddle(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["patient"] = np.arange(len(frame)) // 5
    predictor = make(folder=tmp_path / "run", data={"group": "patient", "val": 0.2, "test": 0.2}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    patients = {part: set(frame["patient"].iloc[rows["row"] - 1]) for part, rows in parts.groupby("part")}
    assert not patients["val"] & patients["test"] and predictor.schema_["patient"].modality == "ignore"


def test_split_column_and_given_files(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["split"] = ["train"] * 100 + ["val"] * 30 + ["test"] * 20
    make(folder=tmp_path / "run", data={"split": "split"}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert parts["part"].value_counts().to_dict() == {"val": 30, "test": 20}
    make(folder=tmp_path / "two").fit(frame[:100], val=frame[100:130], test=frame[130:])
    assert set(json.loads((tmp_path / "two" / "metrics.json").read_text())) == {"val", "test", "baseline"}


def rows_of(data: dict[str, object], columns: dict[str, object], has_val: bool = False, has_test: bool = False) -> dict:
    table = Table.from_frame(pd.DataFrame({"y": ["a", "a", "a", "b"] * 10, **columns}))
    recipe = Recipe.parse({"task": {"target": "y"}, "data": data})
    return split_rows(recipe, table, has_val, has_test)


def test_parts_cover_the_rows_and_hold_as_many_of_each_class() -> None:
    parts = rows_of({"val": 0.2}, {})
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 32, "val": 8}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(40))
    assert {name: int((rows % 4 == 3).sum()) for name, rows in parts.items()} == {"train": 8, "val": 2}
    again = rows_of({"val": 0.2}, {})
    assert all((again[name] == rows).all() for name, rows in parts.items())


def test_validation_is_a_share_of_what_the_test_leaves() -> None:
    parts = rows_of({"val": 0.25, "test": 0.5}, {})
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 15, "val": 5, "test": 20}


def test_a_tenth_validates_where_nothing_is_said_and_none_where_that_is_said() -> None:
    assert {name: len(rows) for name, rows in rows_of({}, {}).items()} == {"train": 36, "val": 4}
    assert list(rows_of({"val": "none"}, {})) == ["train"]
    assert list(rows_of({"val": 0.2}, {}, has_val=True)) == ["train"]  # another table validates


def test_a_column_of_parts_may_leave_the_validation_to_be_drawn() -> None:
    marked = {"part": ["train"] * 30 + ["test"] * 10}
    parts = rows_of({"split": "part"}, marked)
    assert parts["test"].tolist() == list(range(30, 40)) and len(parts["val"]) == 3 and parts["train"].max() < 30
    with pytest.raises(DataError, match="column 'part' marks no row as train"):
        rows_of({"split": "part"}, {"part": ["test"] * 40})


def test_a_group_on_both_sides_of_a_given_split_is_named() -> None:
    marked = {"part": ["train"] * 30 + ["test"] * 10, "shop": [f"s{n // 4}" for n in range(40)]}
    with pytest.raises(DataError, match=r"row 31: group 's7' of column 'shop' is in both train and test"):
        rows_of({"split": "part", "group": "shop"}, marked)
    torn = [None if value == "s7" else value for value in marked["shop"]]
    parts = rows_of({"split": "part", "group": "shop"}, {**marked, "shop": torn})  # rows of no group are free
    shops = [{torn[row] for row in rows} - {None} for rows in parts.values()]
    assert not set.intersection(*shops[:2]) and sum(map(len, shops)) == len(set.union(*shops)) == 9


def test_codes_of_groups_are_those_of_some_rows() -> None:
    table = Table.from_frame(pd.DataFrame({"shop": ["x", "y", None, "x"]}))
    codes = group_codes(Recipe.parse({"data": {"group": "shop"}}), table, np.array([3, 2, 0]))
    assert codes is not None and codes.tolist() == [0, -1, 0]
    assert group_codes(Recipe.parse({}), table, np.arange(4)) is None
    assert group_codes(Recipe.parse({"data": {"group": "gone"}}), table, np.arange(4)) is None


def test_in_time_the_latest_rows_test_and_those_before_validate() -> None:
    days = [f"2026-{1 + number % 10:02d}-01" for number in range(40)]  # ten months, mixed
    parts = rows_of({"val": 0.2, "test": 0.1, "time": "day"}, {"day": days})
    months = {name: {1 + row % 10 for row in rows.tolist()} for name, rows in parts.items()}
    assert months == {"test": {10}, "val": {8, 9}, "train": {1, 2, 3, 4, 5, 6, 7}}
    with pytest.raises(RecipeError, match="data.time and data.group both say"):
        rows_of({"time": "day", "group": "day"}, {"day": days})


def test_the_column_of_the_time_is_no_input(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["day"] = pd.date_range("2026-01-01", periods=len(frame)).astype(str)
    predictor = make(folder=tmp_path / "run", data={"time": "day"}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert parts["row"].min() > 0.85 * len(frame) and predictor.schema_["day"].modality == "ignore"
