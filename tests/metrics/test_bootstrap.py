"""Intervals and p-values agree with theory."""

import numpy as np
import pytest

from plait.metrics import METRICS
from plait.metrics.bootstrap import bootstrap, draw_rows, holm, interval, p_value

accuracy = METRICS["accuracy"].function


def test_statistics_agree_with_theory() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 400)
    sure = np.eye(2)[np.where(random.random(400) < 0.8, truth, 1 - truth)]
    draws = draw_rows(400, draws=2000)
    found = bootstrap(accuracy, truth, [sure], draws)
    share = (sure.argmax(1) == truth).mean()
    assert found.mean() == pytest.approx(share, abs=0.005)
    assert found.std() == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=0.1)  # the binomial's
    low, high = interval(found)
    assert low < share < high
    grouped = bootstrap(accuracy, truth, [sure], draw_rows(400, np.arange(400) // 40, draws=500))
    assert np.isfinite(grouped).all()
    assert p_value(0.0, np.zeros(10)) == 1.0 and p_value(0.5, found - found.mean()) < 1e-9
    assert holm({"only": 0.2}) == {"only": 0.2}
