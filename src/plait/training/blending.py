"""How much to believe each modality's loss (gradient blending)."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from plait.data.batches import Source
from plait.data.plan import BatchPlan
from plait.model import MultimodalModel
from plait.training.evaluate import run_batches

Loss = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
Rows = tuple[Source, np.ndarray]
JOINT = "(all)"  # the whole model's answer, beside those of its modalities
BATCH = 256
MOST = 2000  # training rows that losses are measured on
LEAST = 0.1  # overfitting counts as at least this share of the gain, or a lucky one would get all the weight


@dataclass(frozen=True)
class Losses:
    """Loss on training and on validation rows."""

    train: float
    val: float


def blend_weights(before: Mapping[str, Losses], after: Mapping[str, Losses]) -> dict[str, float]:
    """Weights of losses that sum to one: gain over squared overfitting (1905.12681, equation 3).

    The gain is by how much the validation loss fell; overfitting, by how much its distance to the training loss grew.

    Where we differ: a loss that gained nothing gets no weight, and overfitting counts as a tenth of the gain at least.

    Args:
        before, after: modality → losses, at two moments of training.

    >>> before = {"text": Losses(1.0, 1.0), "photo": Losses(1.0, 1.0)}
    >>> blend_weights(before, {"text": Losses(0.3, 0.5), "photo": Losses(0.1, 0.5)})  # 0.5 / 0.2² to 0.5 / 0.4²
    {'text': 0.8, 'photo': 0.2}
    """
    weights = {}
    for name, late in after.items():
        early = before[name]
        gain = early.val - late.val
        overfitting = max(abs((late.val - late.train) - (early.val - early.train)), LEAST * gain)
        weights[name] = gain / overfitting**2 if gain > 0 and np.isfinite(gain) else 0.0
    total = sum(weights.values())
    if not total:
        return dict.fromkeys(weights, 1.0 / len(weights))
    return {name: round(weight / total, 6) for name, weight in weights.items()}


def estimate_blend(
    model: MultimodalModel,
    train_one: Callable[[MultimodalModel, str], None],
    loss: Loss,
    train: Rows,
    val: Rows,
    device: torch.device,
) -> dict[str, float]:
    """Train a copy of a model on each modality's loss, and one on the joint loss (`JOINT`); weigh the losses by that.

    Args:
        model: is not changed; it has a head for each modality, or is a late fusion.
        train_one: trains a model on one of the losses.
        loss: (predictions, targets) → the loss of some rows.
        train, val: what losses are measured on.
        device: where models run.
    """
    source, rows = train
    # Training rows are sampled evenly: only their mean loss is needed.
    parts = ((source, rows[:: max(1, -(-len(rows) // MOST))]), val)

    def losses(candidate: MultimodalModel) -> dict[str, Losses]:
        measured = [_losses(candidate, loss, *part, device) for part in parts]
        return {name: Losses(measured[0][name], measured[1][name]) for name in measured[0]}

    before = losses(model)
    after = {}
    for name in before:
        twin = copy.deepcopy(model)
        train_one(twin, name)
        after[name] = losses(twin)[name]
    return blend_weights(before, after)


def _losses(
    model: MultimodalModel, loss: Loss, source: Source, rows: np.ndarray, device: torch.device
) -> dict[str, float]:
    """Mean loss of the model's answer, and of each modality's over the rows that have it."""
    sums: dict[str, list[float]] = {}
    model.to(device)
    model.watch_alone = True
    plan = BatchPlan(rows, BATCH, shuffle=False)
    for output, batch_targets, _ in run_batches(model, source, plan, "float32", device, 0):
        answers = {name: (one.predictions, one.present) for name, one in output.alone.items()}
        answers[JOINT] = (output.predictions, torch.ones(len(output.pooled), dtype=torch.bool, device=device))
        for name, (predictions, present) in answers.items():
            count = int(present.sum())
            total = sums.setdefault(name, [0.0, 0.0])
            if count:
                truth = {t: batch_targets[t].to(device)[present] for t in predictions}
                total[0] += count * float(loss({t: x[present] for t, x in predictions.items()}, truth))
                total[1] += count
    model.watch_alone = False
    return {name: total / max(1.0, count) for name, (total, count) in sums.items()}
