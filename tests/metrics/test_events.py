"""Average precision of events, against numbers that ActivityNet's own script gives, and against definitions in loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.metrics.events import apart, average_precision, f1_of_answers, matched, precision_by_label, temporal_iou

TRUTH = [
    np.array([[1.0, 3.0, 0], [5.0, 6.0, 0], [2.0, 8.0, 1]]),
    np.array([[0.0, 4.0, 0]]),
    np.empty((0, 3)),
]
FOUND = [
    np.array([[1.2, 3.1, 0, 0.9], [1.0, 2.9, 0, 0.8], [5.2, 6.5, 0, 0.6], [1.0, 9.0, 1, 0.3]]),
    np.array([[2.0, 5.0, 0, 0.7], [0.5, 4.2, 0, 0.4]]),
    np.array([[3.0, 4.0, 0, 0.5]]),
]


ACTIVITYNET = {0: [0.8333] * 4 + [0.6667] + [0.4444] * 2, 1: [1.0] * 7}


def test_it_is_what_activitynets_script_says() -> None:
    found = precision_by_label(TRUTH, FOUND)
    assert set(found) == {0, 1}
    for label, values in ACTIVITYNET.items():
        np.testing.assert_allclose(found[label], values, atol=5e-5)


def test_an_event_is_found_once_and_the_nearest_first() -> None:
    closeness = np.array([[0.9, 0.6], [0.8, 0.7], [0.5, 0.5]])
    assert matched(closeness, [0.5, 0.65, 0.95]).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, False],
    ]


def test_equal_scores_count_at_once() -> None:
    one = average_precision(np.array([[True, False]]), np.array([0.5, 0.5]), 1)
    other = average_precision(np.array([[False, True]]), np.array([0.5, 0.5]), 1)
    assert one[0] == other[0] == 0.5


def test_moments_are_compared_by_seconds() -> None:
    truth, found = [np.array([[1.0, 1.0, 0]])], [np.array([[1.2, 1.2, 0, 0.5], [1.05, 1.05, 0, 0.4]])]
    assert precision_by_label(truth, found, [-0.1, -0.25], apart)[0].tolist() == [0.5, 1.0]
    assert temporal_iou(found[0][:, :2], truth[0][:, :2]).tolist() == [[0.0], [0.0]]


def test_nothing_found_is_nothing_and_nothing_true_is_no_number() -> None:
    assert precision_by_label([np.array([[0.0, 1.0, 0]])], [np.empty((0, 4))], [0.5])[0].tolist() == [0.0]
    assert precision_by_label([np.empty((0, 3))], [np.empty((0, 4))]) == {}
    assert np.isnan(f1_of_answers([np.empty((0, 3))], [np.empty((0, 4))]))
    assert f1_of_answers(TRUTH, FOUND) == pytest.approx(2 * 4 / (4 + 7))


spans = st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 5)), max_size=6)


@given(spans, spans)
def test_overlap_is_a_share_of_time_whichever_way_it_is_asked(one: list[tuple[float, float]], two: list) -> None:
    a, b = (np.array([(s, s + d) for s, d in spans]).reshape(-1, 2) for spans in (one, two))
    overlap = temporal_iou(a, b)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    np.testing.assert_allclose(overlap, temporal_iou(b, a).T)
    np.testing.assert_allclose(np.diagonal(temporal_iou(a, a)), 1)
