"""Rows that do not match, made of those of a batch: no value is read or encoded twice."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from plait.types import Batch, Input

CANDIDATES = 8  # drawn for each row where the hardest one is wanted


def with_negatives(batch: Batch, target: str, anchor: str, score: Callable[[Batch], Tensor] | None = None) -> Batch:
    """A batch with one non-match added per row: the row with the anchor of another row.

    Draws from torch's own random state, which checkpoints hold.

    Args:
        batch: `targets[target]` is `[B, 3]`: label, and codes of the anchor's value and of all others'.
        target: the matching task's.
        anchor: the input that is exchanged.
        score: batch → `[B, 1]` logits. If given, the hardest of several candidates is used: the one that it scores
            most like a match.
    """
    codes = batch.targets[target].cpu()
    # Row i does not match the anchor of row j where the anchors differ, and all other values of the rows, too.
    wrong_BB = (codes[:, None, 1] != codes[None, :, 1]) & (codes[:, None, 2] != codes[None, :, 2])
    wrong_BB &= (codes[:, 0] >= 0)[:, None] & (codes[:, 1] >= 0)[None, :]
    rows = wrong_BB.any(dim=1).nonzero().squeeze(1)
    if not len(rows):
        return batch
    count = 1 if score is None else CANDIDATES
    drawn_RK = torch.multinomial(wrong_BB[rows].float(), count, replacement=True)
    if score is not None:
        scores = score(exchanged(batch, target, anchor, rows.repeat_interleave(count), drawn_RK.flatten()))
        hardest = scores.detach().float().cpu().view(drawn_RK.shape).argmax(dim=1, keepdim=True)
        drawn_RK = drawn_RK.gather(1, hardest)
    whole = torch.arange(len(batch))
    return exchanged(batch, target, anchor, torch.cat([whole, rows]), torch.cat([whole, drawn_RK[:, 0]]))


def exchanged(batch: Batch, target: str, anchor: str, rows: Tensor, anchors: Tensor) -> Batch:
    """Some rows of a batch, each with the anchor of some row; with the anchor of another row it is no match."""
    inputs = {n: _rows_of(value, anchors if n == anchor else rows, len(batch)) for n, value in batch.inputs.items()}
    targets = {name: values[rows.to(values.device)] for name, values in batch.targets.items()}
    label = targets[target].clone()
    label[(rows != anchors).to(label.device), 0] = 0
    return replace(batch, inputs=inputs, targets={**targets, target: label}, rows=batch.rows[rows])


def _rows_of(value: Input, rows: Tensor, count: int) -> Input:
    index = torch.arange(count).unsqueeze(1) if value.index is None else value.index
    return Input(value.features, index[rows.to(index.device)].to(_device(value, index)))


def _device(value: Input, index: Tensor) -> torch.device:
    return next(iter(value.features.values())).device if value.features else index.device
