"""Steps, groups, clipping and schedules are the papers' and torch's."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from plait.training.optimizer import clip_gradients, make_optimizer, names_within, rate_factor
from training.tiny import SOURCE, loss_of, make_model


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
