"""What a model costs: time, memory, parameters."""

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.heads import KernelHead, LinearHead, TreeHead
from plait.model import MultimodalModel
from plait.types import Batch

ROUNDS = 15


def median_ms(run: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Milliseconds of a call, after two that warm up."""
    seconds = []
    for _ in range(rounds + 2):  # two to warm up
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[2:]) * 1000)


def row_ms(model: MultimodalModel, batch: Batch) -> float:
    """Milliseconds of fusion and head on one row, the median."""
    with torch.inference_mode():
        return median_ms(lambda: model(batch))


def size_of(model: MultimodalModel) -> int:
    """Parameters that train; of trees their nodes, of linear models and kernels the numbers that they keep."""
    if isinstance(model.head, TreeHead):
        return len(model.head.feature)
    if isinstance(model.head, LinearHead | KernelHead):
        return sum(tensor.numel() for tensor in model.head.state_dict().values())
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def reset_peak() -> None:
    """Let the system begin to count this process's highest memory anew, where it can (Linux)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The highest memory since `reset_peak`, in bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024
