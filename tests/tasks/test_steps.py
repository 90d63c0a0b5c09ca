"""Peaks and runs: what is found where events are known, is where they are."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from plait.tasks.steps import found_events, step_targets

TICKS = np.stack([np.arange(40) / 10, np.arange(1, 41) / 10], axis=1)


def steps_of(p: np.ndarray) -> np.ndarray:
    return np.concatenate([p.reshape(len(TICKS), -1), TICKS], axis=1)


def test_a_moment_between_two_steps_is_found_between_them() -> None:
    p = np.zeros(40)
    p[[10, 11]], p[30] = 0.5, 0.9
    found = found_events(steps_of(p), 1, 0.2, "peaks")
    np.testing.assert_allclose(found, [[1.0, 1.2, 0, 1.0], [2.95, 3.15, 0, 0.9]], atol=1e-9)


def test_a_span_reaches_as_far_as_half_its_peak() -> None:
    p = np.zeros(40)
    p[5:15], p[15], p[25:28] = 0.9, 0.4, 0.3
    found = found_events(steps_of(p), 1, 0.0, "spans")
    np.testing.assert_allclose(found[:2], [[0.5, 1.5, 0, 0.9], [1.5, 1.6, 0, 0.4]])
    np.testing.assert_allclose(found[2], [2.5, 2.8, 0, 0.3])


def test_steps_without_length_and_steps_that_overlap_reach_half_way() -> None:
    points = np.array([[0.9, 1.0, 1.0], [0.9, 2.0, 2.0], [0.0, 4.0, 4.0]])
    assert found_events(points, 1, 0.0, "spans")[0, :2].tolist() == [1.0, 3.0]
    wide = np.array([[0.0, 0.0, 2.0], [0.9, 1.0, 3.0], [0.0, 2.0, 4.0]])
    assert found_events(wide, 1, 0.0, "spans")[0, :2].tolist() == [1.5, 2.5]
    holes = np.array([[0.9, 0.0, 1.0], [0.9, 5.0, 6.0]])
    assert found_events(holes, 1, 0.0, "spans")[0, :2].tolist() == [0.0, 6.0]


def test_no_step_is_no_event() -> None:
    assert found_events(np.empty((0, 4)), 2, 0.5, "peaks").shape == (0, 4)
    assert found_events(np.empty((0, 4)), 2, 0.5, "spans").shape == (0, 4)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True), st.floats(0, 0.049), st.integers(0, 10**6))
def test_what_is_learned_perfectly_is_found(places: list[int], shift: float, seed: int) -> None:
    moments = np.sort(np.array(places)) * 0.4 + 0.15 + shift
    labels = np.random.default_rng(seed).integers(0, 2, len(moments))
    events = torch.tensor(np.stack([moments - 0.1, moments + 0.1, labels], axis=1))[None]
    where, mask = torch.tensor(TICKS)[None], torch.ones(1, 40, dtype=torch.bool)
    targets = step_targets(where, mask, events, 2, "peaks")[0].numpy()
    found = found_events(np.concatenate([targets, TICKS], axis=1), 2, 0.2, "peaks")
    found = found[np.argsort(found[:, 0])]
    assert found[:, 2].tolist() == labels.tolist() and (found[:, 3] == 1).all()
    assert np.abs(found[:, :2].mean(axis=1) - moments).max() <= 0.05 + 1e-6
    spans = step_targets(where, mask, events, 2, "spans")[0].numpy()
    assert (spans.sum(axis=0) >= np.bincount(labels, minlength=2)).all()


def test_padding_unknown_rows_and_events_elsewhere() -> None:
    where = torch.tensor([[[0.0, 1.0], [1.0, 2.0]]]).repeat(4, 1, 1)
    mask = torch.tensor([[True, True], [True, False], [True, True], [True, True]])
    gap = float("nan")
    events = torch.tensor([
        [[0.2, 0.4, 1.0], [gap, gap, gap]],
        [[1.6, 1.8, 0.0], [gap, gap, gap]],  # behind what is real of this row
        [[gap, gap, -1.0], [gap, gap, gap]],  # unknown
        [[gap, gap, gap], [gap, gap, gap]],  # nothing happens
    ])  # fmt: skip
    for find in ("peaks", "spans"):
        targets = step_targets(where, mask, events, 2, find)
        assert targets[0].tolist() == [[0, 1], [0, 0]]
        assert not targets[1].any() and targets[2].isnan().all() and not targets[3].any()
    assert not step_targets(where, mask, events[:, :0], 2, "peaks").any()


def test_a_moment_belongs_to_the_step_in_which_it_lies() -> None:
    where = torch.tensor([[[0.0, 0.3], [0.3, 0.6], [0.6, 3.0], [3.0, 3.1]]])  # the third one's middle is far
    mask = torch.ones(1, 4, dtype=torch.bool)
    for moment, place in ((0.3, 1), (0.6, 2), (0.7, 2), (2.9, 2), (3.05, 3)):
        events = torch.tensor([[[moment, moment, 0.0]]], dtype=torch.float64)
        assert step_targets(where, mask, events, 1, "peaks").flatten().argmax() == place, moment
