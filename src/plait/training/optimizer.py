"""The optimizer, its groups, and the learning rate of each step."""

import math
from collections.abc import Container, Iterable
from typing import Literal

import torch
from accelerate import Accelerator
from torch import nn

Schedule = Literal["cosine", "onecycle", "linear", "constant", "wsd"]
Name = Literal["adamw", "adam", "sgd"]
MOMENTUM = 0.9  # of SGD
FALL = 0.2  # of the steps: the end of `wsd`


def make_optimizer(
    model: nn.Module,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    slow: Container[str] = (),
    name: Name = "adamw",
) -> torch.optim.Optimizer:
    """A fused optimizer over the parameters that train: AdamW (1711.05101), Adam (1412.6980), or SGD with momentum 0.9.

    Matrices decay; biases and norms do not. AdamW takes a share of the weights off at each step; Adam and SGD add the
    decay to the gradient (an L2 penalty). Parameters named in `slow` have the encoders' rate.

    Returns:
        The optimizer; each group's `initial_lr` is the highest rate that the schedule reaches.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = encoder_learning_rate if key in slow else learning_rate
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    options = [{"params": p, "lr": r, "initial_lr": r, "weight_decay": d} for (r, d), p in groups.items()]
    if name == "sgd":
        return torch.optim.SGD(options, learning_rate, momentum=MOMENTUM, fused=True)
    return (torch.optim.Adam if name == "adam" else torch.optim.AdamW)(options, fused=True)


def names_within(model: nn.Module, modules: Iterable[nn.Module]) -> set[str]:
    """Names, within a model, of the parameters of some of its modules."""
    inside = {id(parameter) for module in modules for parameter in module.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in inside}


def clip_gradients(accelerator: Accelerator, weights: list[nn.Parameter], largest: float) -> None:
    """Scale gradients down to a norm of at most `largest`.

    On one processor the norm is known at once, so gradients within the bound are not touched; elsewhere Accelerate
    clips, which knows about shards.
    """
    if accelerator.num_processes > 1 or accelerator.device.type != "cpu":
        accelerator.clip_grad_norm_(weights, largest)
        return
    norms = [torch.linalg.vector_norm(weight.grad) for weight in weights if weight.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(norms))  # on a CPU, half the time of the foreach version
    if norm > largest:
        nn.utils.clip_grads_with_norm_(weights, largest, norm)


def rate_factor(step: int, steps: int, schedule: Schedule, warmup_ratio: float) -> float:
    """The share of the highest learning rate at a step, 0 to 1.

    `onecycle` is 1708.07120 with cosines: from 1/25 up over 30 % of the steps, then down to nearly nothing. `wsd`
    (2404.06395) is constant after the warm-up and falls to zero over the last fifth.

    >>> [round(rate_factor(step, 10, "cosine", 0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if schedule == "onecycle":
        rise = 0.3 * steps
        if step < rise:
            return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / rise)) / 2
        return max(1e-5, (1 + math.cos(math.pi * (step - rise) / max(1.0, steps - rise))) / 2)
    warmup = round(warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if schedule == "wsd":
        return min(1.0, (1 - step / steps) / FALL)
    return 1 - done if schedule == "linear" else 1.0


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to a share of its highest."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
