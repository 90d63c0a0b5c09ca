"""An ensemble finds models whose errors cancel, and no more than it needs."""

import numpy as np

from plait.compare.ensemble import MOST, choose_members, cross_fitted_ensemble, ensemble_answers
from plait.compare.likelihood import row_losses
from plait.layers.spaces import Categorical, Real


def test_errors_that_cancel_are_put_together_and_noise_is_left_out() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    error = random.normal(size=2000)
    answers = {"up": truth + error, "down": truth - error, "noise": 3 * random.normal(size=2000)}
    members = choose_members(answers, truth, Real())
    assert {one.name for one in members} == {"up", "down"} and sum(one.weight for one in members) <= MOST
    assert row_losses(Real(), ensemble_answers(members, answers, Real()), truth).mean() < 0.2


def test_who_is_too_sure_is_cooled_before_it_is_mixed() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 1000)
    said = np.where(random.random(1000) < 0.7, truth, 1 - truth)
    sure = 0.998 * np.eye(2)[said] + 0.001
    (member,) = choose_members({"sure": sure}, truth, Categorical(2))
    assert member.temperature > 4
    folds = [np.arange(start, 1000, 4) for start in range(4)]
    crossed = cross_fitted_ensemble({"sure": sure}, truth, folds, Categorical(2))
    assert (crossed.argmax(1) == said).all() and abs(crossed.max(1).mean() - 0.7) < 0.03
