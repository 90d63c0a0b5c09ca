"""The temperature is the one that scikit-learn-like brute force finds, and what was done to logits is undone."""

import numpy as np
import pytest
import torch

from plait.layers.spaces import Binary, Categorical
from plait.training.calibration import fit_temperature


@pytest.mark.parametrize("heat", [0.3, 1.0, 4.0])
def test_heated_logits_are_cooled_again(heat: float) -> None:
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(size=(6000, 4)) * 2)
    truth = np.array([random.choice(4, p=row) for row in logits.softmax(1).numpy()])
    found = fit_temperature(logits * heat, truth, Categorical(4).problems())
    assert found == pytest.approx(heat, rel=0.06)
    grid = 2.0 ** np.linspace(-3, 3, 601)
    losses = [torch.nn.functional.cross_entropy(logits * heat / t, torch.from_numpy(truth)) for t in grid]
    assert found == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


def test_labels_share_one_and_rows_without_truth_do_not_count() -> None:
    random = np.random.default_rng(1)
    logits = torch.from_numpy(random.normal(size=(4000, 2)) * 2)
    truth = (random.random((4000, 2)) < logits.sigmoid().numpy()).astype(float)
    truth[:1000] = np.nan
    found = fit_temperature(logits * 3, truth, Binary(2).problems())
    assert found == pytest.approx(3, rel=0.1)
    missing = np.full(10, -1)
    assert fit_temperature(torch.zeros(10, 3), missing, Categorical(3).problems()) > 0
