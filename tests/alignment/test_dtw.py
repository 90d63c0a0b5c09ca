"""Time warping, held against tslearn and dtaidistance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.alignment import dtw, soft_dtw

SEEDS = st.integers(0, 10_000)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.integers(1, 3))
def test_it_is_tslearns(seed: int, long: int, wide: int, channels: int) -> None:
    metrics = pytest.importorskip("tslearn.metrics")
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(long, channels)), random.normal(size=(wide, channels))
    path, distance = metrics.dtw_path(one, other)
    made = dtw(one, other)
    assert made.distance == pytest.approx(distance)
    squared = sum(((one[i] - other[j]) ** 2).sum() for i, j in made.path)
    assert np.sqrt(squared) == pytest.approx(distance) and made.path[0].tolist() == [0, 0]
    assert (np.diff(made.path, axis=0) >= 0).all() and (np.diff(made.path, axis=0).sum(axis=1) >= 1).all()
    assert len(path) >= max(long, wide)


def test_it_is_dtaidistances_with_and_without_a_window() -> None:
    library = pytest.importorskip("dtaidistance.dtw")
    metrics = pytest.importorskip("tslearn.metrics")
    random = np.random.default_rng(0)
    for long, wide in ((20, 20), (15, 22)):
        one, other = random.normal(size=long), random.normal(size=wide)
        assert dtw(one, other).distance == pytest.approx(library.distance(one, other))
    one, other = random.normal(size=18), random.normal(size=18)
    wanted = metrics.dtw(one, other, global_constraint="sakoe_chiba", sakoe_chiba_radius=2)
    assert dtw(one, other, window=2).distance == pytest.approx(wanted)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 5.0])
def test_soft_is_tslearns_and_has_gradients(gamma: float) -> None:
    metrics = pytest.importorskip("tslearn.metrics")
    random = np.random.default_rng(1)
    one, other = random.normal(size=(2, 7, 2)), random.normal(size=(2, 9, 2))
    given_ = torch.tensor(one, requires_grad=True)
    made = soft_dtw(given_, torch.tensor(other), gamma)
    for row in range(2):
        assert made[row].item() == pytest.approx(metrics.soft_dtw(one[row], other[row], gamma=gamma))
    assert torch.autograd.gradcheck(lambda x: soft_dtw(x, torch.tensor(other), gamma), (given_,))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="alike channels"):
        dtw(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="alike channels"):
        dtw(np.zeros(0), np.zeros(3))
    with pytest.raises(ValueError, match="gamma"):
        soft_dtw(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1), 0.0)
    with pytest.raises(ValueError, match="rows and channels"):
        soft_dtw(torch.zeros(1, 2, 1), torch.zeros(2, 2, 1))
