import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from plait.data.batches import TensorSource
from plait.data.plan import BatchPlan
from plait.errors import PlaitError
from plait.training.checkpoint import (
    load_tensors,
)
from plait.training.loop import Interrupted, train
from plait.training.pace import Metric, fallback
from plait.training.settings import TrainSettings
from training.tiny import CPU, ROWS, SOURCE, loss_of, make_model, run


class StopAfter:
    """Presses Ctrl-C after so many steps of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.at = (epoch, step)

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None:
        if (epoch, step) == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, record: dict, best: bool) -> None:
        if (record["epoch"], 0) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def test_it_learns_and_records_every_epoch() -> None:
    progress = run(make_model(0), epochs=30)
    losses = [record["loss"] for record in progress.history]
    assert len(losses) == 30 and losses[-1] < 0.2 * losses[0]
    assert progress.best == min(record["val"]["loss"] for record in progress.history)


@pytest.mark.parametrize("stop", [(1, 1), (2, 1), (2, 0), (3, 8)])
@pytest.mark.parametrize(
    "options", [{}, {"ema": 0.9}, {"gradient_accumulation_steps": 3, "schedule": "onecycle"}, {"optimizer": "sgd"}]
)
def test_a_resumed_run_ends_bit_by_bit_as_an_uninterrupted_one(tmp_path: Path, stop, options) -> None:
    whole = make_model()
    expected = run(whole, tmp_path / "whole", **options)
    broken = make_model()
    with pytest.raises(Interrupted):
        run(broken, tmp_path / "broken", listener=StopAfter(*stop), **options)
    fresh = make_model()
    for parameter in fresh.parameters():
        parameter.data.zero_()  # nothing may come from anywhere but the checkpoint
    progress = run(fresh, tmp_path / "broken", resume=True, **options)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, fresh.state_dict()[name]), name
    assert [r["loss"] for r in progress.history] == [r["loss"] for r in expected.history]
    assert progress.best == expected.best


def test_the_best_epoch_is_what_remains(tmp_path: Path) -> None:
    model = make_model()
    scores = iter([3.0, 1.0, 2.0, 5.0])
    seen = []

    def staged(model: nn.Module) -> dict[str, float]:
        seen.append(model[0].weight.detach().clone())
        return {"score": next(scores)}

    settings = TrainSettings(epochs=4, batch_size=8, **CPU)
    plan = BatchPlan(np.arange(ROWS), 8)
    progress = train(
        model, SOURCE, plan, loss_of, settings, validate=staged, metric=Metric("score", False), folder=tmp_path,
        accelerator=Accelerator(cpu=True),
    )  # fmt: skip
    assert progress.best_epoch == 1 and torch.equal(model[0].weight, seen[1])


def test_a_metric_that_is_not_defined_leaves_the_choice_to_the_loss() -> None:
    losses, metric = iter([3.0, 1.0, 2.0, 4.0, 5.0]), Metric("CIDEr", True)
    settings = TrainSettings(epochs=10, batch_size=8, patience=3, **CPU)
    plan = BatchPlan(np.arange(ROWS), 8)
    progress = train(
        make_model(), SOURCE, plan, loss_of, settings, validate=lambda m: {"loss": next(losses)}, metric=metric
    )
    assert progress.best_epoch == 1 and len(progress.history) == 5 and progress.best is None
    assert "CIDEr is not defined" in fallback(progress, metric) and not fallback(progress, Metric("loss", False))
    later = iter([{"loss": 1.0}, {"loss": 3.0, "CIDEr": 0.1}, {"loss": 2.0, "CIDEr": 0.2}, {"loss": 0.5}])
    settings = TrainSettings(epochs=4, batch_size=8, **CPU)
    progress = train(make_model(), SOURCE, plan, loss_of, settings, validate=lambda m: next(later), metric=metric)
    assert (progress.best_epoch, progress.best) == (2, 0.2) and not fallback(progress, metric)


def test_patience_ends_a_run_that_gets_no_better() -> None:
    model = make_model()
    settings = TrainSettings(epochs=50, batch_size=8, patience=3, **CPU)
    plan = BatchPlan(np.arange(ROWS), 8)
    progress = train(
        model, SOURCE, plan, loss_of, settings, validate=lambda m: {"s": 0.5}, metric=Metric("s", True),
        accelerator=Accelerator(cpu=True),
    )  # fmt: skip
    assert len(progress.history) == 4


def test_accumulated_batches_equal_one_large_batch() -> None:
    def linear() -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(5, 1)

    small, large = linear(), linear()
    plan = BatchPlan(np.arange(ROWS), 8, shuffle=False)
    wide = BatchPlan(np.arange(ROWS), 32, shuffle=False)
    common = {"epochs": 2, "schedule": "constant", "warmup_ratio": 0.0, "clip": 0.0, **CPU}
    one = TrainSettings(batch_size=8, gradient_accumulation_steps=4, **common)
    train(small, SOURCE, plan, loss_of, one, accelerator=Accelerator(cpu=True))
    train(large, SOURCE, wide, loss_of, TrainSettings(batch_size=32, **common), accelerator=Accelerator(cpu=True))
    torch.testing.assert_close(small.weight, large.weight, rtol=1e-5, atol=1e-6)


def test_the_average_is_an_average(tmp_path: Path) -> None:
    model = nn.Linear(5, 1)
    start = model.weight.detach().clone()
    history = []

    def watching(model: nn.Module, batch) -> torch.Tensor:
        history.append(model.weight.detach().clone())
        return loss_of(model, batch)

    settings = TrainSettings(epochs=1, batch_size=32, ema=0.5, learning_rate=0.1, **CPU)
    plan = BatchPlan(np.arange(ROWS), 32)
    train(model, SOURCE, plan, watching, settings, folder=tmp_path, accelerator=Accelerator(cpu=True))
    last = load_tensors(tmp_path / "last.safetensors")[0]["model.weight"]
    expected = 0.5 * (0.5 * start + 0.5 * history[1]) + 0.5 * last
    torch.testing.assert_close(model.weight.detach(), expected)


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    with pytest.raises(PlaitError, match=r"the loss became nan in epoch 1.*train.learning_rate"):
        train(
            nn.Linear(5, 1), SOURCE, BatchPlan(np.arange(ROWS), 8), lambda m, b: loss_of(m, b) * float("nan"),
            TrainSettings(epochs=1, **CPU), accelerator=Accelerator(cpu=True),
        )  # fmt: skip


def test_rows_that_break_the_loss_are_named_and_change_nothing(tmp_path: Path) -> None:
    inputs = {"x": {"x": torch.randn(ROWS, 5)}}
    inputs["x"]["x"][[20, 21], 3] = float("inf")
    source = TensorSource(inputs, SOURCE.targets)
    model, settings = nn.Linear(5, 1), TrainSettings(epochs=3, checkpoint_minutes=0, **CPU)

    def lost(model: nn.Module, batch) -> torch.Tensor:
        return model(batch.inputs["x"].features["x"]).square().mean()

    def nonfinite_rows(model: nn.Module, batch) -> list[int]:
        said = model(batch.inputs["x"].features["x"])
        return (batch.rows[~said.isfinite().flatten(1).all(dim=1)] + 1).tolist()

    plan = BatchPlan(np.arange(ROWS), 8, shuffle=False)
    with pytest.raises(PlaitError, match=r"at step 3, of row 21, 22 of the training table; nothing of it was learned"):
        train(
            model, source, plan, lost, settings, folder=tmp_path, accelerator=Accelerator(cpu=True), nonfinite_rows=nonfinite_rows,
        )  # fmt: skip
    kept = load_tensors(tmp_path / "last.safetensors")[0]["model.weight"]
    assert kept.isfinite().all() and torch.equal(kept, model.weight.detach())
