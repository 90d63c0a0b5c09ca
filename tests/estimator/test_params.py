"""scikit-learn's contract, checked by scikit-learn itself and by the tools that people use it with."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from plait import Predictor
from plait.errors import DataError, RecipeError

QUICK: dict[str, Any] = {"output": False, "train": {"epochs": 2, "device": "cpu"}, "verbose": False}
LINEAR: dict[str, Any] = {"output": False, "fusion": "linear", "train": {"device": "cpu"}, "verbose": False}
DIFFERENT = {
    "check_do_not_raise_errors_in_init_or_set_params": "a wrong setting is refused where it is written, and not only "
    "once the data has been read",
    "check_sample_weight_equivalence_on_dense_data": "the strength is chosen by inner folds of rows, and the folds of "
    "repeated rows are others",
    "check_classifier_multioutput": "the answers of several targets are a frame with their names and types",
    "check_regressor_multioutput": "the answers of several targets are a frame with their names and types",
}


def people(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.normal(size=rows)
    words = [f"some words here {n % 7} and {n % 3}" for n in range(rows)]
    return pd.DataFrame({"age": age, "text": words, "group": np.where(age > 0, "high", "low")})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_scikit_learns_own_checks(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estimator = Predictor(task={"type": kind}, data={"val": "none"}, **LINEAR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=DIFFERENT, on_skip=None)
    assert len(results) > 40 and {one["status"] for one in results} <= {"passed", "xfail", "skipped"}
    other = "check_regressor_multioutput" if kind == "classification" else "check_classifier_multioutput"
    assert {one["check_name"] for one in results if one["status"] == "xfail"} == DIFFERENT.keys() - {other}
    assert {one["check_name"] for one in results if one["status"] == "skipped"} <= {"check_array_api_input"}
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_a_copy_has_the_same_settings_and_set_ones_change_no_dict() -> None:
    settings = {"learning_rate": 0.5}
    predictor = Predictor("y", train=settings, fusion="gated", types={"a": "ignore"})
    again = clone(predictor)
    assert again.get_params() == predictor.get_params() and again.train is not settings
    again.set_params(train__seed=3, fusion__dim=8, target="z")
    assert settings == {"learning_rate": 0.5} and predictor.get_params()["fusion"] == "gated"
    recipe = again.asked()[0]
    assert (recipe.train.seed, recipe.train.learning_rate, recipe.targets) == (3, 0.5, ["z"])
    assert (recipe.fusion.method, recipe.fusion.dim) == ("gated", 8)
    assert again.get_params()["train__seed"] == 3 and "train__seed" not in again.get_params(deep=False)
    assert repr(Predictor("y", verbose=False)) == "Predictor(target='y', verbose=False)"
    with pytest.raises(RecipeError, match="unknown parameter 'fussion'; did you mean 'fusion'"):
        again.set_params(fussion="gated")
    with pytest.raises(RecipeError, match="unknown parameter 'target__x'"):
        again.set_params(target__x=1)


def test_a_recipe_can_be_copied_too(tmp_path: Path) -> None:
    whole = Predictor("group", **LINEAR).asked()[0]
    predictor = Predictor.from_recipe(whole, output=False, verbose=False)
    again = clone(predictor).set_params(head__hidden=4)
    assert again.asked()[0].head.hidden == 4 and again.asked()[0].fusion.method == "linear"
    assert predictor.asked()[0] is whole


def test_what_it_is_shows_in_the_task_or_after_fitting() -> None:
    frame = people()
    unknown = Predictor("group", **LINEAR)
    assert not is_classifier(unknown) and is_classifier(Predictor("group", task={"type": "classification"}))
    fitted = clone(unknown).fit(frame)
    assert is_classifier(fitted) and not hasattr(unknown, "n_features_in_")
    assert fitted.feature_names_in_.tolist() == ["age", "text"] and fitted.n_features_in_ == 2
    number = Predictor("age", **LINEAR).fit(frame)
    assert is_regressor(number) and not hasattr(number, "predict_proba") and not hasattr(number, "classes_")
    with pytest.raises(NotFittedError, match="call fit"):
        unknown.predict_proba(frame)
    assert "x_<b>" not in Predictor("x_<b>")._repr_html_() and "linear" in fitted._repr_html_()


def test_rows_in_any_form_give_the_same_answers() -> None:
    frame = people()
    X, y = frame[["age", "text"]], frame["group"]
    fitted = Predictor(**LINEAR).fit(X, y)
    expected = fitted.predict_proba(X)
    assert fitted.recipe_.targets == ["group"] and fitted.classes_.tolist() == ["high", "low"]
    for same in (
        frame,  # the target in it is not looked at
        X.to_numpy(),
        X.to_numpy().tolist(),
        X.to_dict("records"),
        X.to_dict("list"),
    ):
        np.testing.assert_allclose(fitted.predict_proba(same), expected, atol=1e-6)
    np.testing.assert_allclose(Predictor("group", **LINEAR).fit(frame).predict_proba(X), expected, atol=1e-6)
    listed = Predictor(**LINEAR).fit(X.to_numpy().tolist(), y.tolist())
    np.testing.assert_allclose(listed.predict_proba(X.to_numpy()), expected, atol=1e-6)
    assert listed.feature_names_in_.tolist() == ["x0", "x1"]
    assert fitted.score(X, y) == accuracy_score(y, fitted.predict(X)) == fitted.score(frame)
    with pytest.raises(DataError, match="X has 1 features, but Predictor is expecting 2"):
        fitted.predict(X.to_numpy()[:, :1])


def test_the_score_of_numbers_is_theirs() -> None:
    frame = people()
    X, y = frame[["age", "group"]], 3 * frame["age"] + np.random.default_rng(1).normal(size=len(frame))
    fitted = Predictor(**LINEAR).fit(X, y)
    assert fitted.score(X, y) == pytest.approx(r2_score(y, fitted.predict(X)))
    asked = Predictor(**{**LINEAR, "train": {"device": "cpu", "metric": "mae"}}).fit(X, y)
    assert asked.score(X, y) == pytest.approx(-np.abs(asked.predict(X) - y).mean())


def test_weights_count(tmp_path: Path) -> None:
    """Rows of weight zero are as if they were not there."""
    frame = people(80)
    X, y = frame[["age"]], frame["group"].to_numpy(copy=True)
    wrong = np.arange(80) % 2 == 0
    y[wrong] = np.where(y[wrong] == "high", "low", "high")  # half of them say the opposite
    weight = np.where(wrong, 0.0, 1.0)
    fitted = Predictor(data={"val": "none"}, **LINEAR).fit(X, y, weight)
    assert fitted.score(X[~wrong], y[~wrong]) == 1.0
    alone = Predictor(data={"val": "none"}, **LINEAR).fit(X[~wrong], y[~wrong])
    for name in ("weight", "bias"):
        ours, theirs = (getattr(one.model_.head, name).numpy() for one in (fitted, alone))
        np.testing.assert_allclose(ours, theirs, rtol=0.2, atol=0.05)  # scales are those of all rows
    assert "sample_weight" not in fitted.feature_names_in_


@pytest.mark.slow
def test_with_the_tools_of_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = people()
    X, y = frame[["age", "text"]], frame["group"]
    linear = Predictor(**LINEAR)
    assert cross_val_score(Predictor("group", **LINEAR), frame, cv=3).mean() > 0.8
    assert cross_val_score(linear, X, y, cv=3).mean() > 0.8
    assert cross_val_score(linear, X, y, cv=3, scoring="roc_auc").mean() > 0.9
    assert cross_val_predict(linear, X, y, cv=2, method="predict_proba").shape == (60, 2)
    search = GridSearchCV(Predictor(**QUICK), {"fusion__method": ["concat", "gated"], "train__seed": [1]}, cv=2)
    assert search.fit(X, y).best_params_["train__seed"] == 1 and search.predict(X).shape == (60,)
    calibrated = CalibratedClassifierCV(linear, cv=2).fit(X, y, sample_weight=np.ones(60))
    assert calibrated.predict_proba(X).shape == (60, 2)
    importances = permutation_importance(Predictor(**LINEAR).fit(X, y), X, y, n_repeats=2).importances_mean
    assert importances[0] > 0.2 > abs(importances[1])
    pipe = Pipeline([("scale", StandardScaler()), ("model", Predictor(**LINEAR))])
    assert pipe.fit(X[["age"]], y, model__sample_weight=np.ones(60)).score(X[["age"]], y) > 0.9
    fitted = Predictor(**LINEAR).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "sklearn.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(compile(block, "sklearn.md", "exec"), {})
    assert all(name in page for name in DIFFERENT)
