"""Contract tests over `METRICS`: what is perfect, what does not depend on the order of rows, what is undefined."""

import numpy as np
import pytest

from plait.metrics import METRICS, fitting, score

KINDS = sorted({kind for metric in METRICS.values() for kind in metric.kinds})
every_metric = pytest.mark.parametrize(("name", "kind"), [(n, k) for n, m in METRICS.items() for k in sorted(m.kinds)])


def case(kind: str, rows: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, perfect predictions, and predictions that are somewhat wrong."""
    random = np.random.default_rng(0)
    if kind == "regression":
        truth = random.normal(size=rows)
        return truth, truth.copy(), truth + random.normal(size=rows)
    if kind == "multilabel":
        truth = (random.random((rows, 3)) < 0.5).astype(np.float32)
        return truth, truth.copy(), np.clip(truth * 0.4 + random.random((rows, 3)) * 0.6, 0, 1)
    truth = random.integers(3, size=rows)
    perfect = np.eye(3)[truth]
    noisy = perfect + random.random((rows, 3)) * 1.5
    return truth, perfect, noisy / noisy.sum(axis=1, keepdims=True)


@every_metric
def test_perfect_predictions_are_at_least_as_good_as_any(name: str, kind: str) -> None:
    truth, perfect, noisy = case(kind)
    best, worse = (score(kind, truth, one, [name])[name] for one in (perfect, noisy))
    assert best > worse if METRICS[name].higher_is_better else best < worse


@every_metric
def test_the_order_of_rows_does_not_matter(name: str, kind: str) -> None:
    truth, _, noisy = case(kind)
    order = np.random.default_rng(1).permutation(len(truth))
    assert score(kind, truth[order], noisy[order], [name]) == pytest.approx(score(kind, truth, noisy, [name]))


@every_metric
def test_of_no_rows_there_is_no_number(name: str, kind: str) -> None:
    truth, _, noisy = case(kind)
    assert score(kind, truth[:0], noisy[:0], [name]) == {}
    assert all(np.isfinite(value) for value in score(kind, truth[:1], noisy[:1], [name]).values())


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_fit_are_scored(kind: str) -> None:
    truth, _, noisy = case(kind)
    assert set(score(kind, truth, noisy)) == set(fitting(kind))
