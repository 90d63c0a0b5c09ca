"""A checkpoint of a stranger: whatever is in it, loading it is right or one line."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fakes import FakeEncoder
from plait.errors import RunError
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_state,
    load_tensors,
    save_checkpoint,
    save_tensors,
    trained_state,
)
from plait.training.optimizer import make_optimizer
from training.tiny import make_model, run

Parts = tuple[nn.Module, torch.optim.Optimizer, dict[str, Tensor]]


def parts(name: str = "adamw") -> Parts:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    ema = {key: tensor.clone() for key, tensor in trained_state(model).items()}
    return model, make_optimizer(model, 1e-3, 1e-4, 0.01, name=name), ema  # type: ignore[arg-type]


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_a_checkpoint_goes_on_where_it_was(name: str, tmp_path: Path) -> None:
    model, optimizer, ema = parts(name)
    step(model, optimizer)
    save_checkpoint(tmp_path / "c.safetensors", model, optimizer, ema, Progress(epoch=2))
    step(model, optimizer)
    again, other, average = parts(name)
    assert load_checkpoint(tmp_path / "c.safetensors", again, other, average).epoch == 2
    step(again, other)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key])


def put(key: str, value: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("random.torch", torch.zeros(3, dtype=torch.uint8)), "random state is damaged"),
        (put("random.torch", torch.zeros(5056)), "random state is damaged"),
        (put("ema.0.weight", torch.zeros(7)), "the average of 0.weight"),
        (put("ema.0.weight", torch.zeros(4, 3, dtype=torch.complex64)), "the average of 0.weight"),
        (put("optimizer.0.exp_avg", torch.zeros(9)), "of another optimizer"),  # a fused step would read beyond it
        (put("optimizer.0.exp_avg", torch.zeros(4, 3, dtype=torch.int64)), "of another optimizer"),
        (put("optimizer.0.step", torch.zeros(9)), "of another optimizer"),
        (put("optimizer.0.else", torch.zeros(4, 3)), "of another optimizer"),
        (put(f"optimizer.{'9' * 5000}.step", torch.zeros(())), "of another optimizer"),
        (put("optimizer.\u0660.exp_avg", torch.zeros(4, 3)), "of another optimizer"),
        (lambda tensors: tensors.pop("optimizer.0.exp_avg"), "state 0 lacks exp_avg"),
        (lambda tensors: tensors.pop("optimizer.1.step"), "state 1 lacks step"),
        (put("model.0.weight", torch.zeros(4, 3, dtype=torch.int64)), "0.weight holds torch.int64"),
        (put("model.0.weight", torch.zeros(4, 3, dtype=torch.complex64)), "0.weight holds torch.complex64"),
        (put("model.0.weight", torch.zeros(4, 4)), "do not fit"),
    ],
)
def test_what_does_not_fit_is_one_line(change: Callable[[dict], object], message: str, tmp_path: Path) -> None:
    model, optimizer, ema = parts()
    step(model, optimizer)
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, model, optimizer, ema, Progress())
    tensors = load_tensors(path)[0]
    change(tensors)
    save_file(tensors, path, {"plait": '{"version": 1, "progress": {}}'})
    with pytest.raises(RunError, match=message):
        load_checkpoint(path, *parts())


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


@pytest.mark.slow
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


def test_files_with_former_names_of_tensors_are_read(tmp_path: Path) -> None:
    """Runs of before called the stand-ins for what is missing `absent`."""
    dims = {"photo": 4, "title": 3}
    encoders = {name: FakeEncoder(dim, 8) for name, dim in dims.items()}
    model = MultimodalModel(encoders, ConcatFusion(dict.fromkeys(dims, 8), 8), PredictHead(8, {"y": 2}), True)
    state = model.state_dict()
    former = {name.replace("missing_tokens.", "absent."): tensor for name, tensor in state.items()}
    assert set(former) != set(state)
    save_tensors(former, tmp_path / "model.safetensors")
    read = load_tensors(tmp_path / "model.safetensors")[0]
    assert set(read) == set(state) and all(torch.equal(read[name], state[name]) for name in state)
    load_state(model, read, tmp_path / "model.safetensors")
