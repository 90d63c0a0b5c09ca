"""Folds in time and weights of rows, in a comparison."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compare.small import frame, recipe_of, run
from plait.compare.experiment import Experiment
from plait.data.table import Table
from plait.errors import RecipeError


def dated(rows: int = 90) -> pd.DataFrame:
    table = frame(rows)
    table["day"] = pd.date_range("2026-01-01", periods=rows).astype(str)[::-1]
    return table


def test_each_fold_learns_from_what_came_before(tmp_path: Path) -> None:
    table = dated()
    experiment = Experiment(recipe_of(data={"time": "day"}), Table.from_frame(table), 3, False)
    days = table["day"].to_numpy()
    for number, test in enumerate(experiment.folds):
        fold = experiment.fold(number)
        assert days[fold.train].max() < days[fold.val].min() <= days[fold.val].max() < days[test].min()
    assert len(experiment.answered) < len(experiment.rows) == 90
    done = run(tmp_path / "c", table, recipe=recipe_of(data={"time": "day"}))
    assert done.splits == "later rows, by day, trained on those before" and done.group_drop is None
    assert done.units == len(experiment.answered)
    kept = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert all(np.isfinite(row["score"]) for row in kept["rows"] if not row["failed"])
    with pytest.raises(RecipeError, match="both say how folds are cut"):
        run(tmp_path / "d", table, recipe=recipe_of(data={"time": "day", "group": "title"}))


def test_rows_that_count_for_nothing_teach_nothing(tmp_path: Path) -> None:
    table = frame(150)
    table["trust"] = np.where(np.arange(150) % 2 == 0, 1.0, 0.0)
    wrong = table["trust"] == 0
    table.loc[wrong, "answer"] = "no"
    recipe = recipe_of(data={"weight": "trust"})
    experiment = Experiment(recipe, Table.from_frame(table), 3, False)
    fold = experiment.fold(0)
    assert not wrong[fold.train].any() and fold.weights is not None and fold.weights[fold.train].mean() == 1.0
    done = run(tmp_path / "c", table, recipe=recipe, fusions=["concat", "linear", "late_stacking", "boosted"])
    assert not [row.failed for row in done.rows if row.failed]
