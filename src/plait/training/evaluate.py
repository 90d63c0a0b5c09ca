"""A model over rows, without gradients."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.batches import Source
from plait.data.loader import load
from plait.data.plan import BatchPlan
from plait.layers.ragged import Ragged, joined
from plait.training.precision import autocast, products
from plait.types import POOLED, Generated, Output, Tokens


@dataclass(frozen=True)
class Runner:
    """A trained model and how it runs.

    Args:
        model: trained.
        precision: of its products.
        device: where it lies.
        workers: decoding threads.
    """

    model: nn.Module
    precision: str = "float32"
    device: torch.device | str = "cpu"
    workers: int = 0

    def outputs(self, source: Source, plan: BatchPlan) -> dict[str, Any]:
        """Raw outputs of a plan's rows; see `outputs_of`."""
        return outputs_of(self.model, source, plan, self.precision, torch.device(self.device), self.workers)


def run_batches(
    model: nn.Module, source: Source, plan: BatchPlan, precision: str, device: torch.device, workers: int
) -> Iterator[tuple[Output, dict[str, Tensor], np.ndarray]]:
    """Outputs, targets and row numbers of each batch of a plan; the model is in evaluation mode meanwhile."""
    training = model.training
    model.eval()
    try:
        for batch in load(source, plan.epoch(0), workers):
            with torch.inference_mode(), products(precision), autocast(precision, device):
                output = model(batch.to(device))
            yield output, batch.targets, batch.rows.numpy()
    finally:
        model.train(training)


def outputs_of(
    model: nn.Module, source: Source, plan: BatchPlan, precision: str, device: torch.device, workers: int = 0
) -> dict[str, Any]:
    """Raw float32 outputs of a plan's rows, target → `[N, …]`, in the order of `plan.rows`; `POOLED` too.

    For a target that is answered token by token they are `Ragged`.
    """
    collected: dict[str, list[Any]] = {}
    batch_rows: list[np.ndarray] = []
    for output, _, rows in run_batches(model, source, plan, precision, device, workers):
        for name, values in [*output.predictions.items(), (POOLED, output.pooled)]:
            collected.setdefault(name, []).append(_rows(values))
        batch_rows.append(rows)
    # With groups, batches come in another order than the plan's rows: put each answer in its row's place.
    place = np.empty(len(plan.rows), dtype=np.int64)
    order = np.argsort(plan.rows, kind="stable")
    answered_rows = np.concatenate(batch_rows)
    place[order] = np.argsort(answered_rows, kind="stable")[: len(order)]
    return {name: joined(parts)[torch.from_numpy(place)] for name, parts in collected.items()}


def _rows(values: Any) -> Any:
    """What a batch gives, float32 on the CPU; of tokens only the real ones."""
    if isinstance(values, Tokens):
        return Ragged.from_tokens(Tokens(values.x.float().cpu(), values.mask.cpu()))
    return values.cpu() if isinstance(values, Generated) else values.float().cpu()
