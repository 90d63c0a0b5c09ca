import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from plait.errors import DataError, RecipeError
from plait.modalities import Sample
from plait.tasks import Classification, Multilabel, Regression, Targets, guess_task


def test_classification_loss_is_torchs_over_rows_with_a_target() -> None:
    task = Classification.fit(["b", "a", "a", "c"], balanced=True)
    assert task.classes == ["a", "b", "c"] and task.class_weights == pytest.approx([4 / 6, 4 / 3, 4 / 3])
    logits, target = torch.randn(5, 3), torch.from_numpy(task.encode(["a", "c", None, "new", "b"]))
    assert target.tolist() == [0, 2, -1, -2, 1]
    real = [0, 1, 4]
    expected = F.cross_entropy(logits[real], target[real], torch.tensor(task.class_weights))
    torch.testing.assert_close(task.loss(logits, target), expected)
    smooth = Classification(["a", "b", "c"], label_smoothing=0.2)
    torch.testing.assert_close(
        smooth.loss(logits, target), F.cross_entropy(logits[real], target[real], label_smoothing=0.2)
    )
    torch.testing.assert_close(
        smooth.row_loss(logits, target)[real], F.cross_entropy(logits[real], target[real], reduction="none")
    )


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


def test_classes_sort_as_people_count_and_whole_floats_are_integers() -> None:
    task = Classification.fit([10.0, 2.0, 1.0])
    assert task.classes == [1, 2, 10] and task.encode([2, "10", 1.0]).tolist() == [1, 2, 0]


def test_multilabel_loss_and_answers() -> None:
    task = Multilabel.fit([["x", "y"], ["y"], []], balanced=True)
    assert task.classes == ["x", "y"] and task.class_weights == pytest.approx([2.0, 0.5])
    logits, target = torch.randn(3, 2), torch.from_numpy(task.encode(["y", None, ["x", "z"]]))
    expected = F.binary_cross_entropy_with_logits(
        logits[[0, 2]], torch.tensor([[0.0, 1.0], [1.0, 0.0]]), pos_weight=torch.tensor([2.0, 0.5])
    )
    torch.testing.assert_close(task.loss(logits, target), expected)
    assert task.answers(np.array([[0.9, 0.6], [0.1, 0.2]])) == ["x;y", ""]


def test_regression_answers_in_the_users_units() -> None:
    task = Regression.fit(["10", None, 14], "price")
    assert (task.mean, task.std) == (12, 2)
    target = torch.from_numpy(task.encode([10, None]))
    assert task.loss(torch.tensor([[0.0], [5.0]]), target).item() == pytest.approx(1.0)
    assert task.predictions(torch.tensor([[-1.0]])).tolist() == [10.0]
    with pytest.raises(DataError, match="needs targets that vary, got only 3"):
        Regression.fit([3, 3])


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
