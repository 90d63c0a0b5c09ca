"""Which precision a machine can train in, and which it takes."""

import pytest
import torch
from torch import nn

from plait.training.precision import choose_precision, has_bfloat16, multiplies_faster_in_bfloat16
from plait.types import Batch


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    return (model(batch.targets["x"])[:, 0] - batch.targets["y"]).square().mean()


def test_precision_is_chosen_on_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch, cpu = Batch({}, {"x": torch.randn(8, 5), "y": torch.randn(8)}, torch.arange(8)), torch.device("cpu")
    state = torch.get_rng_state()
    monkeypatch.setattr("plait.training.precision.has_bfloat16", lambda device: True)
    precision, reason = choose_precision(model, batch, loss_of, cpu)
    assert precision in ("float32", "bfloat16", "bfloat16_matmul") and reason
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert choose_precision(model, batch, loss_of, cpu, steps=49) == ("float32", "too few steps (49) to time others")
    monkeypatch.setattr("plait.training.precision.has_bfloat16", lambda device: False)
    assert choose_precision(model, batch, loss_of, cpu)[0] == "float32"
    assert has_bfloat16(torch.device("meta")) is False


@pytest.mark.parametrize(
    ("amx", "avx512", "machine", "onednn", "expected"),
    [
        (True, False, "x86_64", True, True),
        (False, True, "x86_64", True, True),  # such as Zen 4: no matrix units, and yet native products
        (False, False, "x86_64", True, False),  # AVX-512 alone: oneDNN would only emulate them
        (False, False, "aarch64", True, True),
        (None, None, "x86_64", True, True),  # a torch that can't be asked: they are timed
        (None, None, "x86_64", False, False),
    ],
)
def test_native_products_are_not_refused_by_one_flag(
    amx: bool | None, avx512: bool | None, machine: str, onednn: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_is_amx_tile_supported", amx), ("_is_avx512_bf16_supported", avx512)):
        monkeypatch.setattr(torch.cpu, name, None if value is None else lambda value=value: value, raising=False)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    assert has_bfloat16(torch.device("cpu")) is expected
    multiplies_faster_in_bfloat16.cache_clear()
    assert expected or not multiplies_faster_in_bfloat16()
    multiplies_faster_in_bfloat16.cache_clear()
