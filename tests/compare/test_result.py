"""Differences of the same rows, and a verdict that can say no."""

from dataclasses import replace

import numpy as np
import pytest

from plait.compare.candidates import Candidate
from plait.compare.result import Judged, judge
from plait.metrics import METRICS

accuracy = METRICS["accuracy"].function


def test_paired_differences_are_of_the_same_rows() -> None:
    """Two models that err on the same rows differ surely; two that err anywhere do not."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 300)
    single = np.eye(2)[np.where(random.random(300) < 0.7, truth, 1 - truth)]
    better = single.copy()
    wrong = np.flatnonzero(single.argmax(1) != truth)[:15]
    better[wrong] = np.eye(2)[truth[wrong]]
    other = single.copy()  # errs elsewhere, as often
    right = np.flatnonzero(single.argmax(1) == truth)[:18]
    other[wrong], other[right] = np.eye(2)[truth[wrong]], np.eye(2)[1 - truth[right]]
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [single], [0.7]),
        Judged(Candidate("concat", "fusion", ("a", "b"), "concat"), [other], [0.7]),
        Judged(Candidate("better", "fusion", ("a", "b"), "sum"), [better], [0.75]),
    ]
    comparison = judge(found, truth, "accuracy", accuracy, True, None, 1.0)
    rows = {row.name: row for row in comparison.rows}
    assert rows["better"].versus_best_single.difference == pytest.approx(0.05)
    assert rows["better"].versus_best_single.significant and rows["better"].versus_best_single.low > 0
    assert not rows["concat"].versus_best_single.significant
    assert comparison.best == "better" and comparison.verdict.startswith("b adds +0.050")


def test_of_equal_scores_the_simplest_model_wins_however_long_each_took() -> None:
    truth = np.arange(40) % 2
    answers = np.eye(2)[truth]
    kinds = [("concat", "fusion", ("a", "b"), 9), ("a", "single", ("a",), 7), ("b", "single", ("b",), 5)]
    for slow in range(3):
        found = [
            Judged(
                Candidate(name, kind, names, "concat"),
                [answers],
                [1.0],
                {"parameters": n, "train_seconds": place == slow},
            )
            for place, (name, kind, names, n) in enumerate(kinds)
        ]
        assert judge(found, truth, "accuracy", accuracy, True, None, 1.0).best == "b"


def test_of_an_error_less_is_a_gain() -> None:
    truth = np.random.default_rng(0).normal(size=200)
    noise = np.random.default_rng(1).normal(size=200)
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [truth + noise], [1.0]),
        Judged(Candidate("concat", "fusion", ("a", "b"), "concat"), [truth + noise / 2], [0.5]),
    ]
    rmse = METRICS["rmse"].function
    error, less = np.sqrt(np.square(noise).mean()), np.sqrt(np.square(noise).mean()) / 2
    verdict = judge(found, truth, "rmse", rmse, False, None, 1.0).verdict
    assert verdict.startswith(f"b gives {less:.3f} (95 % interval 0.") and "+" not in verdict
    assert f"less rmse than a alone ({error:.3f}); concat is best ({less:.3f})" in verdict
    found[1] = replace(found[1], predictions=[truth + noise])
    verdict = judge(found, truth, "rmse", rmse, False, None, 1.0).verdict
    assert verdict.startswith("fusion does not help here")
    assert ": 0.000 (95 % interval 0.000 to 0.000) less rmse, p = 1" in verdict
