"""A few examples a class, against hand-worked numbers and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from plait.errors import PlaitError
from plait.inference.few_shot import cache, linear_probe, prototypes, shot_curves


def blobs(rows: int = 60, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    y = np.arange(rows) % classes
    x = np.eye(classes, 6)[y] + 0.3 * random.normal(size=(rows, 6))
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


def test_prototypes_are_the_nearest_centroids() -> None:
    x, y = blobs()
    found = prototypes(x[:30], y[:30], x[30:], 3)
    centroids = NearestCentroid().fit(x[:30], y[:30]).centroids_
    unit = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    assert np.allclose(found, x[30:] @ unit.T)


def test_the_linear_probe_is_scikit_learns() -> None:
    x, y = blobs()
    expected = LogisticRegression(C=10.0, max_iter=1000).fit(x[:30], y[:30]).predict_log_proba(x[30:])
    assert np.allclose(linear_probe(x[:30], y[:30], x[30:], 3), expected)


def test_the_cache_by_hand() -> None:
    x, y = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.array([0, 1, 1])
    query = np.array([[1.0, 0.0]])
    near = np.exp(-5.5 * (1 - np.array([1.0, 0.0, 0.6])))
    assert np.allclose(cache(x, y, query, 2), [[near[0], near[1] + near[2]]])
    names = np.array([[2.0, 3.0]])
    assert np.allclose(cache(x, y, query, 2, names, weight=0.5), names + 0.5 * np.array([[near[0], near[1] + near[2]]]))


def test_curves_rise_and_judge_what_they_did_not_see() -> None:
    x, y = blobs(120)
    labels = [f"class {c}" for c in y]
    report = shot_curves(x, labels, [1, 8], None, draws=6)
    assert report.rows == 60 and report.zero_shot is None and report.classes == ["class 0", "class 1", "class 2"]
    for curve in report.curves:
        assert np.mean(curve.points[8]) > np.mean(curve.points[1]) and len(curve.points[8]) == 6
    shuffled = np.random.default_rng(0).permutation(labels)
    assert abs(np.mean(shot_curves(x, shuffled, [8], None).curves[0].points[8]) - 1 / 3) < 0.15  # no leak


def test_too_few_rows_are_said() -> None:
    x, y = blobs(12)
    with pytest.raises(PlaitError, match="ask for fewer examples than --shots 3"):
        shot_curves(x, [str(c) for c in y], [1, 3], None, name="kind")
