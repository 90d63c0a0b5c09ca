"""Which of two classes is the answer, where the likelier one is not what is wanted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from compare.small import frame, recipe_of, run
from plait import Predictor
from plait.errors import DataError, RecipeError
from plait.runs.threshold import best_threshold

LINEAR = {"output": False, "fusion": "linear", "verbose": False}


def rare(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """One row in ten is a fraud, and the amount says so with much noise."""
    random = np.random.default_rng(seed)
    fraud = random.random(rows) < 0.1
    amount = random.normal(size=rows) + 1.5 * fraud
    return pd.DataFrame({"amount": amount, "other": random.normal(size=rows), "fraud": np.where(fraud, "yes", "no")})


def test_a_chosen_threshold_finds_more_of_the_rare_class() -> None:
    train, test = rare(), rare(2000, seed=1)
    plain = Predictor("fraud", data={"val": 0.4}, **LINEAR).fit(train)
    tuned = Predictor("fraud", data={"val": 0.4}, task={"threshold": "f1_macro"}, **LINEAR).fit(train)
    edge = tuned.targets_.tasks["fraud"].threshold
    assert 0.05 < edge < 0.45
    np.testing.assert_allclose(tuned.predict_proba(test), plain.predict_proba(test))  # they are as they were
    assert np.array_equal(tuned.predict(test) == "yes", tuned.predict_proba(test)[:, 1] >= edge)
    scores, before = tuned.evaluate(test), plain.evaluate(test)
    assert scores["f1_macro"] > before["f1_macro"] + 0.05 and scores["accuracy"] < before["accuracy"]
    for name in ("roc_auc", "log_loss", "ece", "average_precision"):
        assert scores[name] == before[name]


def test_scores_are_those_of_the_answers() -> None:
    test = rare(500, seed=1)
    tuned = Predictor("fraud", task={"threshold": 0.15}, data={"val": "none"}, **LINEAR).fit(rare())
    answers, scores = tuned.predict(test), tuned.evaluate(test)
    assert scores["f1_macro"] == pytest.approx(f1_score(test["fraud"], answers, average="macro"))
    assert scores["accuracy"] == pytest.approx(accuracy_score(test["fraud"], answers)) == tuned.score(test)
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(test["fraud"], answers))
    assert scores["roc_auc"] == pytest.approx(roc_auc_score(test["fraud"] == "yes", tuned.predict_proba(test)[:, 1]))
    written = next(tuned.predict_frames(test))
    assert written["fraud"].tolist() == answers.tolist()
    own = np.where(answers == "yes", written["fraud_p_yes"], written["fraud_p_no"])
    np.testing.assert_allclose(written["fraud_probability"], own)


def test_costs_are_met_and_kept_in_the_run(tmp_path: Path) -> None:
    options = {"fusion": "linear", "verbose": False, "data": {"val": 0.4}}
    careful = Predictor("fraud", task={"costs": {"yes": 20}}, output=tmp_path / "a", **options).fit(rare())
    calm = Predictor("fraud", task={"costs": {"no": 5.0, "yes": 1}}, output=tmp_path / "b", **options).fit(rare())
    test = rare(2000, seed=1)
    found = [float((one.predict(test) == "yes").mean()) for one in (careful, calm)]
    assert found[0] > 0.3 > 0.08 > found[1]
    wrong = careful.predict(test) != test["fraud"]
    cost = np.where(test["fraud"] == "yes", 20, 1)
    assert (cost * wrong).mean() < 0.8 * min(0.9 * 1, 0.1 * 20)  # less than one answer to all
    again = Predictor.load(tmp_path / "a")
    assert np.array_equal(again.predict(test), careful.predict(test))
    page = (tmp_path / "a" / "report.html").read_text()
    assert "yes from probability" in page and "the mean cost of 240 validation rows" in page


def test_a_network_and_an_ensemble_of_a_comparison_do_without(tmp_path: Path) -> None:
    recipe = recipe_of(task=[{"target": "answer", "threshold": "f1_macro"}])
    done = run(tmp_path / "c", frame(), recipe=recipe, save_best=True)
    assert done.best and Predictor.load(tmp_path / "c" / "best").targets_.tasks["answer"].threshold is None
    page = (tmp_path / "c" / "report.html").read_text()
    assert "here the likelier class is the answer" in page
    network = Predictor("answer", task={"threshold": "accuracy"}, output=False, verbose=False, train={"epochs": 1})
    assert network.fit(frame()).targets_.tasks["answer"].threshold is not None


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ({"threshold": "f1"}, "unknown metric 'f1'. Known: accuracy, balanced_accuracy, f1_macro, or a number"),
        ({"threshold": 1.5}, "task.threshold: expected"),
        ({"costs": {"maybe": 3}}, "task.costs: unknown class 'maybe'"),
        ({"costs": {"yes": -1}}, "task.costs"),
        ({"threshold": 0.2, "costs": {"yes": 3}}, "both say which class|both say when"),
    ],
)
def test_what_makes_no_sense_is_refused(task: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        Predictor("fraud", task=task, **LINEAR).fit(rare(60))


def test_it_needs_two_classes_and_validation_rows() -> None:
    three = rare(90).assign(fraud=["a", "b", "c"] * 30)
    with pytest.raises(DataError, match="task.threshold is for two classes, the target holds 3"):
        Predictor("fraud", task={"threshold": 0.2}, **LINEAR).fit(three)
    with pytest.raises(RecipeError, match="validation rows, and data.val is none; give a number"):
        Predictor("fraud", task={"threshold": "f1_macro"}, data={"val": "none"}, **LINEAR).fit(rare(60))
    with pytest.raises(RecipeError, match="threshold: nothing reads it here"):
        Predictor("amount", task={"threshold": 0.2}, **LINEAR).fit(rare(60))


@given(
    pairs=st.lists(st.tuples(st.floats(0, 1, width=16), st.integers(0, 1)), min_size=1, max_size=40),
)
def test_no_other_threshold_is_better(pairs: list[tuple[float, int]]) -> None:
    second, truth = np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])

    def value(y: np.ndarray, said: np.ndarray) -> float:
        return float(-(np.where(y == 1, 3.0, 1.0) * (y != said)).sum())

    edge = best_threshold(second, truth, value)
    assert 0 < edge < 1
    every = [value(truth, (second >= other).astype(int)) for other in np.linspace(0.0005, 0.9995, 999)]
    assert value(truth, (second >= edge).astype(int)) >= max(every)
