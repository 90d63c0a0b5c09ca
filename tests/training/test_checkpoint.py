"""A checkpoint of a stranger: whatever is in it, loading it is right or one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from plait.errors import RunError
from plait.training.checkpoint import Progress, load_checkpoint, load_tensors, save_checkpoint, trained_state
from plait.training.optimizer import make_optimizer

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
