"""Differences of the same rows, a winner that other rows picked, and a verdict that can say no."""

from dataclasses import replace

import numpy as np
import pytest

from plait.compare.candidates import Candidate
from plait.compare.evidence import Measure
from plait.compare.judging import judge
from plait.compare.result import Comparison, Judged
from plait.layers.spaces import Categorical, Real, Space
from plait.metrics import METRICS

accuracy = METRICS["accuracy"].function


def compared(
    found: list[Judged], truth: np.ndarray, metric: str = "accuracy", higher: bool = True, space: Space | None = None
) -> Comparison:
    folds = [np.arange(start, len(truth), 5) for start in range(5)]
    return judge(found, Measure(metric, METRICS[metric].function, higher, truth, folds, space=space), 1.0)


def answers(random: np.random.Generator, truth: np.ndarray, right: float, classes: int = 2) -> np.ndarray:
    """Probabilities whose likeliest class is right so often."""
    said = np.where(random.random(len(truth)) < right, truth, (truth + 1) % classes)
    return 0.6 * np.eye(classes)[said] + 0.4 / classes


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
    comparison = compared(found, truth)
    rows = {row.name: row for row in comparison.rows}
    assert rows["better"].versus_best_single.difference == pytest.approx(0.05)
    assert rows["better"].versus_best_single.significant and rows["better"].versus_best_single.low > 0
    assert not rows["concat"].versus_best_single.significant
    assert comparison.best == "better" and comparison.verdict.startswith("b adds +0.050")


def test_of_equal_scores_the_simplest_model_wins_however_long_each_took() -> None:
    truth = np.arange(40) % 2
    same = np.eye(2)[truth]
    kinds = [("concat", "fusion", ("a", "b"), 9), ("a", "single", ("a",), 7), ("b", "single", ("b",), 5)]
    for slow in range(3):
        found = [
            Judged(
                Candidate(name, kind, names, "concat"),
                [same],
                [1.0],
                {"parameters": n, "train_seconds": place == slow},
            )
            for place, (name, kind, names, n) in enumerate(kinds)
        ]
        assert compared(found, truth).best == "b"


def test_of_an_error_less_is_a_gain() -> None:
    truth = np.random.default_rng(0).normal(size=200)
    noise = np.random.default_rng(1).normal(size=200)
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [truth + noise], [1.0]),
        Judged(Candidate("concat", "fusion", ("a", "b"), "concat"), [truth + noise / 2], [0.5]),
    ]
    error, less = np.sqrt(np.square(noise).mean()), np.sqrt(np.square(noise).mean()) / 2
    verdict = compared(found, truth, "rmse", False).verdict
    assert verdict.startswith(f"b gives {less:.3f} (95 % interval 0.") and "+" not in verdict
    assert f"less rmse than a alone ({error:.3f}); concat is the pick ({less:.3f}" in verdict
    found[1] = replace(found[1], predictions=[truth + noise])
    verdict = compared(found, truth, "rmse", False).verdict
    assert verdict.startswith("no evidence that fusion helps over a alone")
    assert ": 0.000 (95 % interval 0.000 to 0.000) less rmse, p = 1" in verdict


@pytest.mark.slow
def test_a_winner_among_many_of_equals_is_no_better_than_they_are() -> None:
    """Twenty models that are right in 70 % of the rows: the best of them seems better, its cross-fitted score not."""
    random = np.random.default_rng(0)
    gaps, decisions = [], []
    for _ in range(8):
        truth = random.integers(0, 2, 200)
        found = [Judged(Candidate("a", "single", ("a",), "concat"), [answers(random, truth, 0.7)], [0.7])]
        for number in range(20):
            said = answers(random, truth, 0.7)
            found.append(Judged(Candidate(f"f{number}", "fusion", ("a", "b"), "sum"), [said], [0.7]))
        comparison = compared(found, truth, space=Categorical(2))
        top = max(row.score for row in comparison.rows if row.kind == "fusion")
        gaps.append((top - 0.7, comparison.best_cross_fitted.score - 0.7))
        decisions.append(comparison.decision)
    flattered, honest = np.mean(gaps, axis=0)
    assert flattered > 0.05 and abs(honest) < 0.02 and decisions.count("no evidence") >= 6


def test_who_ties_and_who_is_worse() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 900)
    shares = {"a": 0.5, "good": 0.8, "alike": 0.8, "bad": 0.6}
    found = [
        Judged(Candidate(n, "single" if n == "a" else "fusion", ("a", "b"), n), [answers(random, truth, share, 3)], [])
        for n, share in shares.items()
    ]
    trivial = Judged(Candidate("majority", "baseline", ("a", "b"), "constant"), [answers(random, truth, 0.9, 3)], [])
    comparison = compared([*found, trivial], truth, space=Categorical(3))
    assert sorted(comparison.tied) == ["alike", "good"] and comparison.decision == "helps"
    assert {row.name: row.kind for row in comparison.rows}["ensemble"] == "ensemble"
    assert "majority" not in comparison.tied and comparison.best != "majority"
    worse = [replace(found[0], predictions=[answers(random, truth, 0.9, 3)]), found[3]]
    comparison = compared(worse, truth, space=Categorical(3))
    assert comparison.decision == "worse" and comparison.verdict.startswith("fusion is worse than a alone")


def test_what_has_not_converged_is_provisional() -> None:
    random = np.random.default_rng(4)
    truth = random.integers(0, 2, 300)
    costs = {"converged": False}
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [answers(random, truth, 0.6)], [], costs),
        Judged(Candidate("sum", "fusion", ("a", "b"), "sum"), [answers(random, truth, 0.9)], [], costs),
    ]
    comparison = compared(found, truth, space=Categorical(2))
    assert not comparison.converged and comparison.decision == "helps"
    assert comparison.verdict.startswith("not converged: ") and "the ranking is provisional" in comparison.verdict
    found[1] = replace(found[1], costs={"converged": True})
    assert "provisional" not in compared(found, truth, space=Categorical(2)).verdict


def test_one_that_was_stopped_has_a_score_of_its_folds_and_no_part_in_the_rest() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 300)
    some = np.sort(np.concatenate([np.arange(0, 300, 5), np.arange(1, 300, 5)]))
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [answers(random, truth, 0.6)], []),
        Judged(Candidate("sum", "fusion", ("a", "b"), "sum"), [answers(random, truth, 0.8)], []),
        Judged(
            Candidate("late", "fusion", ("a", "b"), "late"), [np.eye(2)[truth[some]]], [], folds=[0, 1], stopped="x"
        ),
    ]
    comparison = compared(found, truth, space=Categorical(2))
    row = next(row for row in comparison.rows if row.name == "late")
    assert row.score == 1.0 and row.versus_best_single is None and comparison.best == "sum"
    assert "late" not in comparison.tied


def test_numbers_have_r2_beside_their_error_and_an_ensemble_of_errors_that_cancel() -> None:
    random = np.random.default_rng(6)
    truth = random.normal(size=400)
    noise = random.normal(size=(3, 400))
    found = [
        Judged(Candidate(n, kind, m, n), [truth + e], [])
        for n, kind, m, e in zip(
            "abc", ("single", "fusion", "fusion"), (("a",), ("a", "b"), ("a", "b")), noise, strict=True
        )
    ]
    folds = [np.arange(start, 400, 5) for start in range(5)]
    measure = Measure("rmse", METRICS["rmse"].function, False, truth, folds, space=Real(), r2=METRICS["r2"].function)
    comparison = judge(found, measure, 1.0)
    rows = {row.name: row for row in comparison.rows}
    assert rows["b"].r2 == pytest.approx(METRICS["r2"].function(truth, truth + noise[1]))
    assert rows["ensemble"].score < 0.7 and set(rows["ensemble"].members) == set("abc")  # a third of the variance
    assert comparison.ensemble_helps and "an ensemble of 3 is significantly better" in comparison.verdict
