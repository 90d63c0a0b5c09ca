import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType
from torch import nn

from plait.data.batches import TensorSource
from plait.data.plan import BatchPlan
from plait.errors import PlaitError, RecipeError, RunError
from plait.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
    trained_state,
)
from plait.training.devices import make_accelerator, pick_device
from plait.training.loop import Interrupted, Metric, fallback, train
from plait.training.optimizer import clip_gradients, make_optimizer, names_within, rate_factor
from plait.training.settings import TrainSettings

ROWS = 64
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(ROWS, 5, generator=GENERATOR)
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.1
SOURCE = TensorSource({"a": {"x": X}}, {"y": Y})
CPU = {"device": "cpu", "precision": "float32"}


def make_model(dropout: float = 0.2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))


def loss_of(model: nn.Module, batch) -> torch.Tensor:
    return (model(batch.inputs["a"].features["x"])[:, 0] - batch.targets["y"]).square().mean()


def validate(model: nn.Module) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        return {"loss": float((model(X)[:, 0] - Y).square().mean())}


def run(model: nn.Module, folder: Path | None = None, resume: bool = False, listener=None, **options):
    settings = TrainSettings(**{"epochs": 4, "batch_size": 8, "learning_rate": 0.02, **CPU, **options})
    plan = BatchPlan(np.arange(ROWS), settings.batch_size, seed=settings.seed)
    torch.manual_seed(settings.seed)
    return train(
        model, SOURCE, plan, loss_of, settings, validate=validate, folder=folder, resume=resume, listener=listener,
        accelerator=Accelerator(cpu=True),
    )  # fmt: skip


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


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_truncated_checkpoints_are_refused(tmp_path: Path, cut: int) -> None:
    run(make_model(), tmp_path, epochs=1)
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RunError, match="damaged or truncated"):
        run(make_model(), tmp_path, resume=True)


def test_a_checkpoint_of_another_model_or_a_newer_version_is_refused(tmp_path: Path) -> None:
    run(make_model(), tmp_path, epochs=1)
    with pytest.raises(RunError, match="of another model"):
        run(nn.Sequential(nn.Linear(5, 1)), tmp_path, resume=True)
    save_tensors({"a": torch.zeros(1)}, tmp_path / "new.safetensors", {"version": 99})
    with pytest.raises(RunError, match="written by a newer plait"):
        load_tensors(tmp_path / "new.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_tensors({"a": torch.ones(2)}, path)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plait.training.checkpoint.save_file", full)
    with pytest.raises(RunError, match="No space left"):
        save_tensors({"a": torch.zeros(2)}, path)
    assert load_tensors(path)[0]["a"].tolist() == [1, 1] and len(list(tmp_path.iterdir())) == 1


def test_frozen_parts_are_not_in_checkpoints(tmp_path: Path) -> None:
    model = make_model()
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    assert set(trained_state(model)) == {"4.weight", "4.bias"}
    optimizer = make_optimizer(model, 0.1, 0.1, 0.0)
    save_checkpoint(tmp_path / "c.safetensors", model, optimizer, None, Progress(epoch=3))
    assert load_checkpoint(tmp_path / "c.safetensors", model, optimizer, None).epoch == 3


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_steps_are_those_of_the_papers(name: str) -> None:
    """Three steps by hand: Adam's moments, SGD's momentum, and where the decay of a matrix goes in."""
    rate, decay, random = 0.05, 0.3, np.random.default_rng(0)
    layer = nn.Linear(3, 2)
    w, gradients = layer.weight.detach().numpy().astype(np.float64), random.normal(size=(3, 2, 3))
    b = layer.bias.detach().numpy().copy()
    optimizer = make_optimizer(layer, rate, rate, decay, name=name)
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step, given in enumerate(gradients, 1):
        layer.weight.grad, layer.bias.grad = torch.from_numpy(given).float(), torch.zeros(2)
        optimizer.step()
        g = given if name == "adamw" else given + decay * w
        if name == "sgd":
            first = g if step == 1 else 0.9 * first + g
            w = w - rate * first
            continue
        w = w * (1 - rate * decay) if name == "adamw" else w
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        w = w - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(layer.weight.detach(), w, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.bias.detach(), b)  # a bias does not decay


def test_optimizer_groups() -> None:
    model = make_model()
    optimizer = make_optimizer(model, 0.1, 0.01, 0.3, names_within(model, [model[0]]))
    found = {(g["lr"], g["weight_decay"]): len(g["params"]) for g in optimizer.param_groups}
    assert found == {(0.01, 0.3): 1, (0.01, 0.0): 1, (0.1, 0.3): 1, (0.1, 0.0): 3}


def test_clipping_is_torchs() -> None:
    ours, theirs = make_model(0), make_model(0)
    for scale, largest in ((100.0, 0.5), (1e-3, 0.5)):
        for model in (ours, theirs):
            model.zero_grad()
            (scale * loss_of(model, SOURCE.batch(np.arange(16)))).backward()
        clip_gradients(Accelerator(cpu=True), list(ours.parameters()), largest)
        nn.utils.clip_grad_norm_(theirs.parameters(), largest)
        for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "onecycle"])
def test_schedules_rise_and_stay_in_bounds(schedule: str) -> None:
    factors = [rate_factor(step, 200, schedule, 0.1) for step in range(200)]
    assert all(0 < factor <= 1 for factor in factors) and max(factors) == pytest.approx(1, abs=0.02)
    assert factors[0] < 0.1 and (factors[-1] < 0.02) == (schedule != "constant")


def test_onecycle_is_torchs() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=1001, cycle_momentum=False)
    for step in range(1000):
        assert rate_factor(step, 1000, "onecycle", 0) == pytest.approx(optimizer.param_groups[0]["lr"], abs=0.02)
        optimizer.step()
        theirs.step()


def test_devices_that_are_not_here_and_launchers_that_shard_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu").type == "cpu" and make_accelerator("cpu").device.type == "cpu"
    with pytest.raises(RecipeError, match="device 'tpu' is not here; this machine has cpu"):
        pick_device("tpu")

    class Sharding:
        distributed_type = DistributedType.FSDP

        def __init__(self, **options: object) -> None: ...

    monkeypatch.setattr("plait.training.devices.Accelerator", Sharding)
    with pytest.raises(RecipeError, match="FSDP: plait shards by itself; launch it with torchrun.*train.shard=true"):
        make_accelerator("cpu")


def test_a_process_trains_on_one_device_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    make_accelerator("cpu")
    monkeypatch.setitem(PartialState._shared_state, "device", torch.device("cuda"))  # as after training there
    assert make_accelerator("cpu").device.type == "cpu"


def test_a_kill_at_any_moment_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    code = (
        "import sys, pathlib, torch; from plait.training.checkpoint import save_tensors; n = 0\n"
        "while True:\n"
        "    n += 1; save_tensors({'a': torch.full((300_000,), float(n))}, pathlib.Path(sys.argv[1]), {'n': n})"
    )
    for pause in (0.0, 0.013, 0.031, 0.047):
        process = subprocess.Popen([sys.executable, "-c", code, path])
        written = path.stat().st_mtime_ns if path.exists() else 0
        while not path.exists() or path.stat().st_mtime_ns == written:
            time.sleep(0.005)
        time.sleep(pause)
        process.kill()
        process.wait()
        tensors, header = load_tensors(path)
        assert (tensors["a"] == header["n"]).all()


def test_moments_of_channels_last_weights_survive(tmp_path: Path) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 1)).to(
            memory_format=torch.channels_last
        )
        return model, make_optimizer(model, 0.01, 0.01, 0.0)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        pictures = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        model(pictures.contiguous(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    whole, resumed = make(), make()
    for seed in range(3):
        step(*whole, seed)
    save_checkpoint(tmp_path / "c.safetensors", *whole, None, Progress())
    load_checkpoint(tmp_path / "c.safetensors", *resumed, None)
    for seed in range(3, 6):
        step(*whole, seed)
        step(*resumed, seed)
    assert all(torch.equal(a, b) for a, b in zip(whole[0].parameters(), resumed[0].parameters(), strict=True))
