"""Who is behind after the first folds is not trained on; nobody else is left out, and the winner is the same."""

from pathlib import Path

import numpy as np
import pytest

from compare.small import FAST, frame, recipe_of, run
from plait.compare.rounds import behind
from plait.metrics import METRICS

accuracy = METRICS["accuracy"].function


def test_behind_is_who_is_surely_worse() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 300)

    def right(share: float) -> np.ndarray:
        return np.eye(2)[np.where(random.random(300) < share, truth, 1 - truth)]

    answers = {"best": [right(0.9)], "close": [right(0.88)], "far": [right(0.6)]}
    found = behind(answers, truth, accuracy, 1.0, None)
    assert set(found) == {"far"} and found["far"][2] in ("best", "close") and found["far"][1] < 0
    assert set(behind(answers, truth, accuracy, 1.0, np.arange(300) // 3)) == {"far"}
    assert behind({"best": answers["best"]}, truth, accuracy, 1.0, None) == {}
    errors = {"a": [truth + 0.1], "b": [truth + random.normal(size=300)]}
    assert set(behind(errors, truth, METRICS["rmse"].function, -1.0, None)) == {"b"}


@pytest.mark.slow
def test_a_race_picks_the_same_winner(tmp_path: Path) -> None:
    """late_mean can't say whether two signs agree: it is stopped after two of four folds."""
    recipe = recipe_of(train={**FAST, "epochs": 12})
    options = {"recipe": recipe, "table": frame(120), "fusions": ["product", "late_mean", "concat"], "folds": 4}
    raced, whole = run(tmp_path / "a", **options), run(tmp_path / "b", thorough=True, **options)
    rows = {row.name: row for row in raced.rows}
    assert rows["late_mean"].stopped.startswith("behind ") and len(rows["late_mean"].per_fold) == 2
    assert not any(row.stopped for row in whole.rows)
    assert raced.best == whole.best and raced.decision == whole.decision == "helps"
    assert [row.per_fold for row in raced.rows if row.name == "product"] == [
        row.per_fold for row in whole.rows if row.name == "product"
    ]
    again = run(tmp_path / "a", **options)  # goes on with what it has: nothing is trained again
    assert {row.name: row.stopped for row in again.rows} == {row.name: row.stopped for row in raced.rows}


def test_out_of_time_the_verdict_is_still_there(tmp_path: Path) -> None:
    found = run(tmp_path / "c", fusions=["product", "sum", "concat"], time_limit=1e-6)
    rows = {row.name: row for row in found.rows}
    assert rows["sum"].failed == "not begun: the time limit" and rows["product"].score is None
    assert rows["concat"].whole and found.best_cross_fitted is not None


def test_answers_of_other_rows_or_with_strange_costs_are_not_taken(tmp_path: Path) -> None:
    options = {"fusions": ["concat"], "folds": 2}
    first = run(tmp_path / "c", **options)
    files = sorted((tmp_path / "c" / "answers").iterdir())
    for number, path in enumerate(files):
        with np.load(path) as stored:
            values = {name: stored[name] for name in stored.files}
        if number % 3 == 0:
            values["rows"] = values["rows"] + 1
        elif number % 3 == 1:
            values["costs"] = np.array('{"failed": "yes"}')
        else:
            values["predictions"] = values["predictions"][:-1]
        np.savez(path.with_suffix(""), **values)
    again = run(tmp_path / "c", **options)
    assert [row.per_fold for row in again.rows] == [row.per_fold for row in first.rows]
