"""What guesses reach, against scikit-learn by itself."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from fakes import fitted, frame
from plait.runs.baseline import linear_answers
from plait.tasks import Classification, Multilabel, Regression


def test_a_guess_that_is_cut_short_says_nothing_of_it() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(300, 80)) * 10.0 ** random.uniform(-4, 4, 80), random.integers(0, 3, 300)
    with pytest.warns(ConvergenceWarning):
        expected = LogisticRegression(C=10.0, max_iter=100).fit(x, y).predict_proba(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = linear_answers(Classification(["a", "b", "c"]), x, y, x)
    np.testing.assert_allclose(found, expected)


def test_rows_without_a_target_teach_nothing_and_one_class_is_certain() -> None:
    x = np.array([[1.0], [2.0], [3.0]])
    assert linear_answers(Classification(["a", "b"]), x, np.array([-1, -2, -1]), x) is None
    only = linear_answers(Classification(["a", "b"]), x, np.array([1, -1, 1]), x)
    assert only is not None and only.tolist() == [[0, 1]] * 3
    labels = linear_answers(Multilabel(["p", "q"]), x, np.array([[1, 0], [1, 1], [np.nan, np.nan]], np.float32), x)
    assert labels is not None and labels.shape == (3, 2) and labels[:, 0].tolist() == [1, 1, 1]
    assert linear_answers(Regression(), x, np.array([np.nan, np.nan, 1.0]), x) is None


def test_what_guesses_reach_stands_beside_the_score(tmp_path: Path) -> None:
    given = frame().assign(t=lambda f: [f"{'good' if x > 0 else 'bad'} thing {i}" for i, x in enumerate(f["a"])])
    predictor = fitted(given, tmp_path)
    assert predictor.metrics_["baseline"] == {"majority": pytest.approx(0.5, abs=0.2), "TF-IDF + logistic": 1.0}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "without a model, val accuracy: majority" in page
    assert "baseline" not in fitted(given, tmp_path / "off", train={"baseline": "off"}).metrics_
