"""Bits that are known beforehand: a product of signs is all synergy, a copy is all redundancy."""

import numpy as np
import pytest

from plait.compare.information import information
from plait.layers.spaces import Categorical, Real
from plait.metrics.bootstrap import draw_rows

N = 2000
FOLDS = [np.arange(start, N, 5) for start in range(5)]


def sure(classes: np.ndarray, share: float = 0.999) -> np.ndarray:
    return np.eye(2)[classes] * (2 * share - 1) + (1 - share)


def test_agreement_of_two_signs_is_one_bit_of_synergy() -> None:
    truth = np.random.default_rng(0).integers(0, 2, N)
    nothing = np.full((N, 2), 0.5)
    found = information(
        {"a": [nothing], "b": [nothing]}, [nothing, sure(truth)], truth, FOLDS, Categorical(2), draw_rows(N, draws=200)
    )
    assert found is not None
    assert found.alone == pytest.approx({"a": 0.0, "b": 0.0}, abs=0.01)
    assert (
        found.together == pytest.approx(1.0, abs=0.02)
        and found.low > 0.95
        and found.ceiling == pytest.approx(1, abs=0.01)
    )


def test_a_copy_is_one_bit_of_redundancy() -> None:
    truth = np.random.default_rng(1).integers(0, 2, N)
    known = [sure(truth)]
    found = information({"a": known, "b": known}, known, truth, FOLDS, Categorical(2), draw_rows(N, draws=200))
    assert found is not None and found.excess == pytest.approx(-1.0, abs=0.02) and found.high < 0


def test_a_weak_single_model_does_not_fake_synergy() -> None:
    """The strongest of a modality's models counts, at the temperature that suits it."""
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, N)
    said = np.where(random.random(N) < 0.8, truth, 1 - truth)
    weak, overconfident = np.full((N, 2), 0.5), sure(said)
    found = information(
        {"a": [weak, overconfident], "b": [weak]},
        [overconfident],
        truth,
        FOLDS,
        Categorical(2),
        draw_rows(N, draws=200),
    )
    expected = 1 + 0.8 * np.log2(0.8) + 0.2 * np.log2(0.2)
    assert found is not None and found.alone["a"] == pytest.approx(expected, abs=0.04)
    assert found.low <= 0 <= found.high + 0.01


def test_numbers_are_counted_as_a_normal_distribution_would() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(size=(2, N))
    truth = a + b
    half = [a]
    found = information(
        {"a": half, "b": [b]}, [truth + 0.1 * random.normal(size=N)], truth, FOLDS, Real(), draw_rows(N, draws=100)
    )
    assert found is not None and found.ceiling is None
    assert found.alone["a"] == pytest.approx(0.5, abs=0.05)  # half the variance: half a bit
    assert found.together == pytest.approx(0.5 * np.log2(2 / 0.01), abs=0.1)


def test_nothing_is_said_where_a_modality_has_no_answers() -> None:
    truth = np.zeros(N, dtype=int)
    assert information({"a": []}, [sure(truth)], truth, FOLDS, Categorical(2), []) is None
