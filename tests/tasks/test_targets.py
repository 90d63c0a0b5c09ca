"""Targets: their kinds, and several of them at once."""

import json

import pytest
import torch

from plait.errors import DataError, RecipeError
from plait.modalities import Sample
from plait.tasks import Classification, Multilabel, Regression, Targets, guess_task


def test_a_batch_without_any_target_has_no_loss() -> None:
    for task, target in (
        (Classification(["a", "b"]), torch.tensor([-1, -2])),
        (Multilabel(["a", "b"]), torch.full((2, 2), torch.nan)),
        (Regression(), torch.full((2,), torch.nan)),
    ):
        logits = torch.randn(2, task.out_dim, requires_grad=True)
        loss = task.loss(logits, target)
        loss.backward()
        assert loss.item() == 0 and logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "task", [Classification(["a", "b"], [1, 2], 0.1), Multilabel(["x"]), Regression(1.0, 2.0, "p")]
)
def test_round_trip_through_json(task) -> None:
    targets = Targets({"t": task}, {"t": 0.5})
    again = Targets.from_json(json.loads(json.dumps(targets.to_json())))
    assert again.to_json() == targets.to_json() and type(again.tasks["t"]) is type(task)


def test_several_targets_add_up_and_keep_their_names() -> None:
    targets = Targets({"c": Classification(["a", "b"]), "n": Regression()}, {"n": 2.0})
    outputs = {"c": torch.randn(4, 2), "n": torch.randn(4, 1)}
    truth = {"c": torch.tensor([0, 1, 1, -1]), "n": torch.tensor([1.0, torch.nan, 0.0, 2.0])}
    expected = targets.tasks["c"].loss(outputs["c"], truth["c"]) + 2 * targets.tasks["n"].loss(outputs["n"], truth["n"])
    torch.testing.assert_close(targets.loss(outputs, truth), expected)
    metrics = targets.metrics(targets.predictions(outputs), {k: v.numpy() for k, v in truth.items()})
    assert {"c.accuracy", "n.rmse"} <= set(metrics)
    assert targets.choose_metric(None) == ("c.accuracy", True) and targets.choose_metric("n.mae") == ("n.mae", False)
    with pytest.raises(RecipeError, match="unknown metric 'accuracy'; did you mean 'c.accuracy'"):
        targets.choose_metric("accuracy")
    assert set(targets.columns(targets.predictions(outputs))) == {"c", "c_probability", "c_p_a", "c_p_b", "n"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["yes", "no"] * 20, "classification"),
        ([0, 1] * 20, "classification"),
        (["1", "2", "3"] * 20, "classification"),
        ([float(i) + 0.5 for i in range(40)], "regression"),
        (list(range(40)), "regression"),
        (["a;b", "b", "c"] * 10, "multilabel"),
        ([["a"], ["a", "b"]] * 10, "multilabel"),
        ([True, False] * 5, "classification"),
    ],
)
def test_kinds_are_guessed(values: list, kind: str) -> None:
    assert guess_task(Sample("y", values, len(values), len({str(v) for v in values})))[0] == kind


def test_constant_and_empty_targets_are_refused() -> None:
    with pytest.raises(DataError, match="target 'y' is constant"):
        guess_task(Sample("y", ["a", "a"], 2, 1))
    with pytest.raises(DataError, match="target 'y' has no values"):
        guess_task(Sample("y", [], 0, 0))
