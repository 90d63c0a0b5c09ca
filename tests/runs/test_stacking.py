"""A combiner on answers of rows that were not trained on."""

from pathlib import Path

import numpy as np
import torch

from fakes import NUMBER_AND_TITLE, TWELVE_EPOCHS, size_table
from plait import Predictor
from plait.layers.spaces import Problem
from plait.runs.stacking import _combiner, _logistic
from plait.tasks import Regression, Targets


def test_stacking_behind_the_predictor(tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", inputs=NUMBER_AND_TITLE, output=tmp_path / "run", fusion="late_stacking", train={**TWELVE_EPOCHS, "epochs": 5},
        verbose=False,
    ).fit(size_table())  # fmt: skip
    weight = predictor.model_.fusion.weight
    assert not torch.equal(weight, type(predictor.model_.fusion)({"a": 1, "b": 1}, 2).weight)  # no longer the mean
    assert predictor.score(size_table(seed=2)) > 0.85
    loaded = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(loaded.predict_proba(size_table()), predictor.predict_proba(size_table()), atol=1e-6)


def test_the_combiner_of_numbers_is_the_ridge_of_what_was_said() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    truth = 2 * x[:, 0] - x[:, 2] + 3 + random.normal(size=60) / 9
    weights, bias = _combiner(x, {"y": truth.astype(np.float32)}, Targets({"y": Regression(0.0, 1.0)}), None)
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + np.eye(3), centred.T @ (truth - truth.mean()))
    np.testing.assert_allclose(weights.numpy()[0], expected, atol=1e-4)
    np.testing.assert_allclose(float(bias[0]), truth.mean() - x.mean(axis=0) @ expected, atol=1e-4)


def test_a_class_that_no_row_has_is_not_answered_and_one_alone_always_is() -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    weight, bias = _logistic(x, np.array([1, 1, 2, 2]), Problem(0, 4, 4), None)
    said = x @ weight.T + bias
    assert said[:, 1:3].argmax(axis=1).tolist() == [0, 0, 1, 1] and (said[:, [0, 3]] < -20).all()
    weight, bias = _logistic(x, np.array([2, 2, 2, 2]), Problem(0, 4, 4), None)
    assert not weight.any() and bias.tolist() == [-30.0, -30.0, 0.0, -30.0]
