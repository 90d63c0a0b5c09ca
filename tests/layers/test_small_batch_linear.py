"""A product of few rows, in another order: the same numbers as `F.linear`."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from plait.layers import small_batch_linear, use_fast_linear
from plait.layers.small_batch_linear import MOST, SMALL


@pytest.mark.parametrize("rows", [(1,), (1, 1), (2, 1), (5,), (3, 4), (MOST,), (MOST + 1,), (0,)])
@pytest.mark.parametrize("out_dim", [256, 263])  # 263 is a prime: not divided among cores
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_usual_product(rows: tuple[int, ...], out_dim: int, bias: bool) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(*rows, 512), torch.randn(out_dim, 512)
    assert weight.numel() >= SMALL
    shift = torch.randn(out_dim) if bias else None
    with torch.no_grad():
        found = small_batch_linear(x, weight, shift)
    wanted = x.double().numpy() @ weight.double().numpy().T + (0 if shift is None else shift.double().numpy())
    assert found.shape == (*rows, out_dim) and found.is_contiguous()
    assert np.allclose(found.numpy(), wanted, atol=1e-3)


def test_rows_that_do_not_lie_side_by_side() -> None:
    """A transposed or strided x and weight give the same."""
    x, weight = torch.randn(512, 6).T, torch.randn(512, 300).T
    with torch.no_grad():
        for part in (x, x[:1], x[::2]):
            assert torch.allclose(small_batch_linear(part, weight), F.linear(part, weight), atol=1e-3)


def test_gradients_flow() -> None:
    x, weight = torch.randn(2, 512, requires_grad=True), torch.randn(256, 512)
    small_batch_linear(x, weight).sum().backward()
    assert x.grad is not None and torch.allclose(x.grad, weight.sum(dim=0).expand(2, -1), atol=1e-3)


def test_a_hastened_model_says_the_same() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 300), nn.GELU(), nn.Linear(300, 256))
    x, before = torch.randn(3, 512), list(model.state_dict())
    wanted = model(x)
    use_fast_linear(model)
    with torch.no_grad():
        assert torch.allclose(model(x), wanted, atol=1e-5) and torch.allclose(model(x[:1]), wanted[:1], atol=1e-5)
    assert list(model.state_dict()) == before and isinstance(model[0], nn.Linear)


def test_layers_that_share_weights_still_do_and_layers_with_hooks_stay() -> None:
    tied = nn.ModuleDict({"embedding": nn.Embedding(300, 256), "out": nn.Linear(256, 300, bias=False)})
    tied["out"].weight = tied["embedding"].weight
    tied["twice"] = tied["out"]
    tied["hooked"] = nn.Linear(256, 256)
    calls: list[int] = []
    tied["hooked"].register_forward_hook(lambda *given: calls.append(1))
    use_fast_linear(tied)
    assert tied["out"].weight is tied["embedding"].weight is tied["twice"].weight
    tied["hooked"](torch.randn(1, 256))
    assert calls == [1] and type(tied["out"]) is not nn.Linear


def test_half_precision_and_autocast_keep_their_type() -> None:
    x, weight = torch.randn(2, 512), torch.randn(256, 512)
    with torch.no_grad():
        assert small_batch_linear(x.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            assert small_batch_linear(x, weight).dtype == torch.bfloat16
