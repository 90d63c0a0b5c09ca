"""A recipe's tables, looked at as training would split them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait import console
from plait.checks.tables import check_recipe, show_health
from plait.errors import DataError
from plait.recipe import Recipe


def recipe_of(folder: Path, data: dict[str, Any] | None = None, **columns: Any) -> Recipe:
    rows = {"x": np.arange(40) % 7 / 4, "g": np.arange(40) // 2, "y": ["a", "b"] * 20, **columns}
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return Recipe.parse({"task": {"target": "y"}, "data": {"train": str(folder / "t.csv"), **(data or {})}})


def test_rows_are_split_as_training_splits_them(tmp_path: Path) -> None:
    pd.DataFrame({"x": [0.5, 1.0], "y": ["a", "b"]}).to_csv(tmp_path / "more.csv", index=False)
    health = check_recipe(recipe_of(tmp_path, {"val": 0.25, "test": str(tmp_path / "more.csv")}))
    assert health.rows == {"train": 30, "val": 10, "test": 2}
    assert sum(health.balance["y"].values()) == 30 and health.ok
    assert check_recipe(recipe_of(tmp_path, {"val": "none"})).rows == {"train": 40}


def test_a_group_on_both_sides_is_a_finding_and_no_refusal(tmp_path: Path) -> None:
    split = ["train"] * 31 + ["val"] * 9  # the group of rows 31 and 32 is torn
    found = check_recipe(recipe_of(tmp_path, {"split": "part", "group": "g"}, part=split))
    torn = [one for one in found.findings if one.kind == "group_straddles"]
    assert [(one.level, one.count, one.examples) for one in torn] == [("error", 1, ("15",))] and not found.ok
    split[31] = "train"
    found = check_recipe(recipe_of(tmp_path, {"split": "part", "group": "g"}, part=split))
    assert not [one for one in found.findings if one.kind == "group_straddles"]


def test_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, score=np.arange(40) % 3)
    with pytest.raises(DataError, match="there is no column 'skore'; did you mean 'score'"):
        check_recipe(recipe.model_copy(update={"task": Recipe.parse({"task": {"target": "skore"}}).task}))
    with pytest.raises(DataError, match="unknown column 'h'"):
        check_recipe(recipe_of(tmp_path, {"group": "h"}))


def test_what_was_found_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.stderr, "_width", 200)
    show_health(check_recipe(recipe_of(tmp_path, {"val": "none"})))
    said = capsys.readouterr().err
    assert "rows: 40 train" in said and "y: a 20, b 20" in said and "nothing found that would go wrong" in said
    many = {f"c{n}": np.arange(40) % 5 / 4 for n in range(60)}
    show_health(check_recipe(recipe_of(tmp_path, {"val": "none"}, **many, z=["oops"] + ["1"] * 39)))
    said = capsys.readouterr().err
    assert "… and 4 more columns; --json lists all" in said
