"""Batch normalisation of real steps only, against torch's on those steps alone."""

import pytest
import torch
from torch import nn

from plait.layers.masked_norm import MaskedBatchNorm


@pytest.mark.parametrize("shape", [(3, 4, 7), (3, 4, 7, 5)])
def test_it_is_torchs_on_the_real_steps(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, mask = torch.randn(shape) * 3 + 1, torch.tensor([[True] * 7, [True] * 4 + [False] * 3, [True] + [False] * 6])
    x.transpose(1, 2)[~mask] = 1e3  # what stands at padding means nothing
    ours, theirs = MaskedBatchNorm(4), nn.BatchNorm1d(4)
    with torch.no_grad():
        for one in (ours, theirs):
            one.weight.copy_(torch.tensor([1.0, 2.0, -1.0, 0.5]))
            one.bias.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    real = x.transpose(1, 2)[mask]  # [N, 4, …]
    flat = real if real.ndim == 2 else real.transpose(1, 2).reshape(-1, 4)
    leaf = x.clone().requires_grad_()
    said, expected = ours(leaf, mask).transpose(1, 2)[mask], theirs(flat)
    said = said if said.ndim == 2 else said.transpose(1, 2).reshape(-1, 4)
    torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-4, atol=1e-5)
    said.square().sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all()
    torch.testing.assert_close(
        leaf.grad.transpose(1, 2)[~mask], torch.zeros(()).expand_as(leaf.grad.transpose(1, 2)[~mask])
    )


def test_evaluation_uses_the_running_values() -> None:
    norm = MaskedBatchNorm(2).eval()
    x = torch.randn(2, 2, 3)
    torch.testing.assert_close(norm(x, torch.ones(2, 3, dtype=torch.bool)), x / (1 + 1e-5) ** 0.5)


def test_half_precision_comes_back_as_it_came() -> None:
    norm = MaskedBatchNorm(2)
    assert norm(torch.randn(2, 2, 3, dtype=torch.bfloat16), torch.ones(2, 3, dtype=torch.bool)).dtype == torch.bfloat16
