"""A product of few rows, in another order: the same numbers as `F.linear`."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from plait.layers import few_rows, hasten
from plait.layers.few_rows import MOST, SMALL


@pytest.mark.parametrize("rows", [(1,), (1, 1), (2, 1), (5,), (3, 4), (MOST,), (MOST + 1,), (0,)])
@pytest.mark.parametrize("out_dim", [256, 263])  # 263 is a prime: not divided among cores
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_usual_product(rows: tuple[int, ...], out_dim: int, bias: bool) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(*rows, 512), torch.randn(out_dim, 512)
    assert weight.numel() >= SMALL
    shift = torch.randn(out_dim) if bias else None
    with torch.no_grad():
        found = few_rows(x, weight, shift)
    wanted = x.double().numpy() @ weight.double().numpy().T + (0 if shift is None else shift.double().numpy())
    assert found.shape == (*rows, out_dim) and found.is_contiguous()
    assert np.allclose(found.numpy(), wanted, atol=1e-3)


def test_rows_that_do_not_lie_side_by_side() -> None:
    """A transposed or strided x and weight give the same."""
    x, weight = torch.randn(512, 6).T, torch.randn(512, 300).T
    with torch.no_grad():
        for part in (x, x[:1], x[::2]):
            assert torch.allclose(few_rows(part, weight), F.linear(part, weight), atol=1e-3)


def test_gradients_flow() -> None:
    x, weight = torch.randn(2, 512, requires_grad=True), torch.randn(256, 512)
    few_rows(x, weight).sum().backward()
    assert x.grad is not None and torch.allclose(x.grad, weight.sum(dim=0).expand(2, -1), atol=1e-3)


def test_a_hastened_model_says_the_same() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 300), nn.GELU(), nn.Linear(300, 256))
    x, before = torch.randn(3, 512), list(model.state_dict())
    wanted = model(x)
    hasten(model)
    with torch.no_grad():
        assert torch.allclose(model(x), wanted, atol=1e-5) and torch.allclose(model(x[:1]), wanted[:1], atol=1e-5)
    assert list(model.state_dict()) == before and isinstance(model[0], nn.Linear)


def test_half_precision_and_autocast_keep_their_type() -> None:
    x, weight = torch.randn(2, 512), torch.randn(256, 512)
    with torch.no_grad():
        assert few_rows(x.bfloat16(), weight.bfloat16()).dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            assert few_rows(x, weight).dtype == torch.bfloat16
