"""Log losses against scikit-learn's, and temperatures that find what was done to probabilities."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from plait.compare.likelihood import constant_answers, mean_answers, row_losses, temperature_of, with_temperature
from plait.layers.spaces import Binary, Categorical, Real


def test_the_log_loss_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    p, truth = random.dirichlet(np.ones(4), 200), random.integers(0, 4, 200)
    assert row_losses(Categorical(4), p, truth).mean() == pytest.approx(log_loss(truth, p, labels=range(4)))
    yes, labels = random.random((50, 3)), random.integers(0, 2, (50, 3))
    expected = sum(log_loss(labels[:, n], yes[:, n]) for n in range(3))
    assert row_losses(Binary(3), yes, labels).mean() == pytest.approx(expected)
    labels[:, 1] = -1  # unknown: costs nothing
    assert row_losses(Binary(3), yes, labels).mean() < expected
    assert row_losses(Real(), np.array([1.0, 3.0]), np.array([1.0, 1.0])).tolist() == [0.0, 4.0]


def test_a_row_that_was_thought_impossible_does_not_cost_everything() -> None:
    assert row_losses(Categorical(2), np.array([[1.0, 0.0]]), np.array([1]))[0] < 20


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    random = np.random.default_rng(1)
    p = random.dirichlet(np.ones(3), 20_000)
    truth = np.array([random.choice(3, p=row) for row in p[:4000]])
    heated = with_temperature(Categorical(3), p[:4000], temperature)
    assert temperature_of(Categorical(3), heated, truth) == pytest.approx(1 / temperature, rel=0.1)
    assert (heated.argmax(1) == p[:4000].argmax(1)).all() and heated.sum(1) == pytest.approx(1)
    yes = random.random((4000, 1))
    said = with_temperature(Binary(1), yes, temperature)
    labels = (random.random((4000, 1)) < yes).astype(int)
    assert temperature_of(Binary(1), said, labels) == pytest.approx(1 / temperature, rel=0.1)
    assert temperature_of(Real(), yes[:, 0], yes[:, 0]) == 1.0


def test_constants_and_means() -> None:
    share = constant_answers(Categorical(3), np.array([0, 0, 1]), 2)
    assert share.shape == (2, 3) and share[0] == pytest.approx([7 / 12, 4 / 12, 1 / 12])  # none is zero
    assert constant_answers(Real(), np.array([1.0, 3.0]), 2).tolist() == [2.0, 2.0]
    assert constant_answers(Binary(2), np.array([[1, -1], [0, 1]]), 1)[0] == pytest.approx([0.5, 0.75])
    assert mean_answers([np.zeros(2), np.ones(2)], [1, 3]).tolist() == [0.75, 0.75]
