"""Scores of predictions are scikit-learn's."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from plait.errors import RecipeError
from plait.metrics import METRICS, score

RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet(np.ones(4), 50)
TRUTH = RANDOM.integers(0, 4, 50)


def calibration_error(truth: np.ndarray, p: np.ndarray) -> float:
    """As the paper says it, bin by bin; tests/runs/test_calibrate.py holds it against torchmetrics, where that is."""
    error = 0.0
    for low in np.arange(15) / 15:
        rows = [row for row in range(len(p)) if low < p[row].max() <= low + 1 / 15]
        if rows:
            right = np.mean([p[row].argmax() == truth[row] for row in rows])
            error += len(rows) / len(p) * abs(right - np.mean([p[row].max() for row in rows]))
    return error


def test_classification_is_scikit_learns() -> None:
    found = score("classification", TRUTH, PROBABILITIES)
    answers = PROBABILITIES.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(TRUTH, answers),
        "balanced_accuracy": sk.balanced_accuracy_score(TRUTH, answers),
        "f1_macro": sk.f1_score(TRUTH, answers, average="macro"),
        "roc_auc": sk.roc_auc_score(TRUTH, PROBABILITIES, multi_class="ovr"),
        "average_precision": sk.average_precision_score(np.eye(4)[TRUTH], PROBABILITIES),
        "log_loss": sk.log_loss(TRUTH, PROBABILITIES),
        "ece": calibration_error(TRUTH, PROBABILITIES),
    }
    assert found == pytest.approx(expected)


def test_binary_takes_the_second_class() -> None:
    truth, p = TRUTH > 1, np.stack([1 - PROBABILITIES[:, 0], PROBABILITIES[:, 0]], axis=1)
    found = score("classification", truth.astype(int), p)
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, p[:, 1]))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(truth, p[:, 1]))


def test_multilabel_is_scikit_learns() -> None:
    truth, p = RANDOM.integers(0, 2, (40, 3)), RANDOM.random((40, 3))
    found = score("multilabel", truth.astype(np.float32), p)
    assert found["f1_macro"] == pytest.approx(sk.f1_score(truth, p >= 0.5, average="macro"))
    assert found["f1_micro"] == pytest.approx(sk.f1_score(truth, p >= 0.5, average="micro"))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, p >= 0.5))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, p))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(truth, p))


def test_regression_is_numpys_and_scikit_learns() -> None:
    truth, p = RANDOM.normal(size=30), RANDOM.normal(size=30)
    found = score("regression", truth, p)
    expected = {
        "mae": sk.mean_absolute_error(truth, p),
        "rmse": sk.root_mean_squared_error(truth, p),
        "r2": sk.r2_score(truth, p),
        "pearson": np.corrcoef(truth, p)[0, 1],
    }
    assert found == pytest.approx(expected)


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=4, max_size=4)), min_size=1, max_size=30
)


@given(ROWS)
@settings(deadline=None, max_examples=50)
def test_ties_and_absent_classes_are_counted_as_scikit_learn_counts_them(rows: list[tuple[int, list[int]]]) -> None:
    truth, p = np.array([code for code, _ in rows]), np.array([scores for _, scores in rows]) / 3
    answers = p.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an answer that the truth lacks
        expected = {
            "f1_macro": sk.f1_score(truth, answers, average="macro", zero_division=0),
            "balanced_accuracy": sk.balanced_accuracy_score(truth, answers),
        }
    mixed = [c for c in range(4) if 0 < (truth == c).sum() < len(truth)]
    if mixed:
        expected["roc_auc"] = np.mean([sk.roc_auc_score(truth == c, p[:, c]) for c in mixed])
        expected["average_precision"] = np.mean([sk.average_precision_score(truth == c, p[:, c]) for c in mixed])
    for name, value in expected.items():
        assert METRICS[name].function(truth, p) == pytest.approx(value), name
    labels = np.array([[code > 1, code % 2] for code, _ in rows]).astype(np.float32)
    for average in ("macro", "micro"):
        value = sk.f1_score(labels, p[:, :2] >= 0.5, average=average, zero_division=0)
        assert METRICS[f"f1_{average}"].function(labels, p[:, :2]) == pytest.approx(value), average


def test_numbers_that_do_not_vary() -> None:
    same, other = np.ones(4), np.array([1.0, 1.0, 1.0, 2.0])
    for truth, p in ((same, same), (same, other), (other, same)):
        assert METRICS["r2"].function(truth, p) == pytest.approx(sk.r2_score(truth, p))


def test_what_can_not_be_computed_is_left_out() -> None:
    one_class = score("classification", np.zeros(5, dtype=int), PROBABILITIES[:5, :2])
    assert "roc_auc" not in one_class and "accuracy" in one_class
    assert "pearson" not in score("regression", np.ones(3), np.arange(3.0))
    assert score("regression", np.empty(0), np.empty(0)) == {}


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="unknown metric of classification 'f1_marco'; did you mean 'f1_macro'"):
        score("classification", TRUTH, PROBABILITIES, ["f1_marco"])
    assert not METRICS["rmse"].higher_is_better
