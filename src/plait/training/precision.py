"""float32 or bfloat16: timed on the user's own batch, because no one setting wins everywhere."""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from plait.types import Batch

LARGEST_DIFFERENCE = 0.02  # of the loss, relative: beyond it bfloat16 changes what is learned


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context that a forward pass runs in."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products have hardware: matrix units on the processor, Ampere or newer on a GPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
    return False


def choose_precision(
    model: nn.Module, batch: Batch, loss_of: Callable[[nn.Module, Batch], Tensor], device: torch.device, rounds: int = 3
) -> tuple[str, str]:
    """`bfloat16` where it is faster on this batch and gives nearly the same loss, else `float32`; and why.

    Works on a copy: weights, statistics and random state stay as they were.
    """
    if not has_bfloat16(device):
        return "float32", "no bfloat16 matrix units here"
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        losses, seconds = {}, {}
        for precision in ("float32", "bfloat16"):
            twin = copy.deepcopy(model)
            torch.manual_seed(0)
            losses[precision], seconds[precision] = _timed(twin, batch, loss_of, precision, device, rounds)
    difference = abs(losses["bfloat16"] - losses["float32"]) / max(abs(losses["float32"]), 1e-6)
    ratio = seconds["float32"] / seconds["bfloat16"]
    if difference > LARGEST_DIFFERENCE:
        return "float32", f"bfloat16 changes the first loss by {difference:.1%}"
    if ratio < 1.05:
        return "float32", f"bfloat16 is no faster here (x{ratio:.2f})"
    return "bfloat16", f"x{ratio:.1f} the speed of float32 on the first batch"


def _timed(
    model: nn.Module,
    batch: Batch,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    precision: str,
    device: torch.device,
    rounds: int,
) -> tuple[float, float]:
    """The first loss, and the fastest round's seconds."""
    first, best = 0.0, float("inf")
    for number in range(rounds + 1):  # the first warms up
        start = time.perf_counter()
        with autocast(precision, device):
            loss = loss_of(model, batch)
        loss.backward()
        value = float(loss.detach())  # waits for the device
        if number == 0:
            first = value
        else:
            best = min(best, time.perf_counter() - start)
        model.zero_grad(set_to_none=True)
    return first, best
