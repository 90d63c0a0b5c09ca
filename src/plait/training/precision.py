"""float32, or bfloat16 in one of two ways: timed on the user's own batch, because no one setting wins everywhere."""

import copy
import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from plait.types import Batch

STEPS_A_ROUND = 50  # of training, for a round of timing: what is found must be worth the search
LARGEST_DIFFERENCE = 0.02  # of the loss, relative: beyond it bfloat16 changes what is learned


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context that a forward pass runs in."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def products(precision: str) -> Iterator[None]:
    """The context that forward and backward passes run in: with `bfloat16_matmul`, float32 tensors are multiplied and
    convolved in bfloat16 inside the kernel, which spares the copies that autocast makes of every weight.
    """
    if precision != "bfloat16_matmul":
        yield
        return
    mkldnn: Any = torch.backends.mkldnn  # the attributes are newer than the stubs
    kernels = [mkldnn.matmul, mkldnn.conv]
    before = [kernel.fp32_precision for kernel in kernels]
    try:
        for kernel in kernels:
            kernel.fp32_precision = "bf16"
        yield
    finally:
        for kernel, value in zip(kernels, before, strict=True):
            kernel.fp32_precision = value


def candidates(device: torch.device) -> list[str]:
    """The precisions that this machine can train in, the exact one first."""
    if not has_bfloat16(device):
        return ["float32"]
    inside = device.type == "cpu" and hasattr(getattr(torch.backends.mkldnn, "matmul", None), "fp32_precision")
    return ["float32", "bfloat16"] + (["bfloat16_matmul"] if inside else [])


def has_bfloat16(device: torch.device) -> bool:
    """Whether there is hardware for bfloat16 products, as far as torch can tell: AMX or AVX512_BF16, or elsewhere (ARM,
    or a torch without these probes) what oneDNN says; Ampere or newer on a GPU. What they gain, only a clock can tell.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    probes = [getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")]
    if any(probe is not None and probe() for probe in probes):
        return True
    conclusive = None not in probes and platform.machine().lower() in ("x86_64", "amd64")
    return not conclusive and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def multiplies_faster_in_bfloat16() -> bool:
    """Whether this processor does, timed once for some milliseconds: not every one with such products gains by them."""
    if not has_bfloat16(torch.device("cpu")):
        return False
    exact = torch.randn(2048, 512), torch.randn(512, 64)
    half = exact[0].bfloat16(), exact[1].bfloat16()
    seconds: dict[torch.dtype, float] = {}
    for _ in range(5):  # in turns, so that other work on the machine slows both; the first warms up
        for a, b in (exact, half):
            start = time.perf_counter()
            a @ b
            seconds[a.dtype] = min(seconds.get(a.dtype, math.inf), time.perf_counter() - start)
    return seconds[torch.bfloat16] < seconds[torch.float32]


def choose_precision(
    model: nn.Module,
    batch: Batch,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    device: torch.device,
    steps: int | None = None,
) -> tuple[str, str]:
    """The fastest precision on this batch among those that give nearly the same loss as float32; and why.

    Works on a copy: weights, statistics and random state stay as they were.

    Args:
        model: what trains.
        batch: its first batch.
        loss_of: `(model, batch) -> scalar`.
        device: where both are.
        steps: how many there will be; a few are not worth timing. None for many.
    """
    names = candidates(device)
    if len(names) == 1:
        return "float32", "no bfloat16 products in hardware here"
    rounds = 5 if steps is None else min(5, steps // STEPS_A_ROUND)
    if rounds == 0:
        return "float32", f"too few steps ({steps}) to time others"
    cuda = [device] if device.type == "cuda" else []
    losses, seconds = {}, {}
    with torch.random.fork_rng(devices=cuda):
        for precision in names:
            twin = copy.deepcopy(model)
            torch.manual_seed(0)
            losses[precision], seconds[precision] = _timed(twin, batch, loss_of, precision, device, rounds)
    exact = losses["float32"]
    close = [p for p in names if abs(losses[p] - exact) <= LARGEST_DIFFERENCE * max(abs(exact), 1e-6)]
    fastest = min(close, key=lambda precision: seconds[precision])
    ratio = seconds["float32"] / seconds[fastest]
    if ratio < 1.05:
        return "float32", "nothing else is faster on the first batch with the same loss"
    return fastest, f"x{ratio:.1f} the speed of float32 on the first batch"


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
        with products(precision):
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
