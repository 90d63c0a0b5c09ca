"""Batches as if some rows lacked a modality: for modality dropout in training, and to see what a modality gives."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from plait.types import Batch, Input


def without(value: Input, rows_B: Tensor) -> Input:
    """An input in which the marked rows have no value.

    Args:
        value: of a batch.
        rows_B: `[B]` bool, True where the value is taken away.

    >>> value = Input({"numbers": torch.ones(2, 1), "codes": torch.zeros(2, 1, dtype=torch.int64)})
    >>> without(value, torch.tensor([True, False])).features["numbers"].tolist()
    [[nan], [1.0]]
    """
    features = value.features
    if "stored" in features and value.index is None:
        return replace(value, features={**features, "stored_mask": features["stored_mask"] & ~rows_B.unsqueeze(1)})
    if "numbers" in features and value.index is None:
        numbers = features["numbers"].masked_fill(rows_B.unsqueeze(1), torch.nan)
        return replace(
            value, features={"numbers": numbers, "codes": features["codes"].masked_fill(rows_B[:, None], -1)}
        )
    index = torch.arange(len(rows_B), device=rows_B.device).unsqueeze(1) if value.index is None else value.index
    index = index.masked_fill(rows_B.unsqueeze(1), -1)
    return Input({}, index) if bool((index < 0).all()) else replace(value, index=index)


def drop_modalities(batch: Batch, share: float) -> Batch:
    """Take each modality from each row with a probability, but never all of a row's (ModDrop, 1501.00102).

    A row that would lose all keeps one of them, drawn evenly. Draws from torch's own random state, which checkpoints
    hold.
    """
    names = list(batch.inputs)
    if share <= 0 or len(names) < 2:
        return batch
    dropped_MB = torch.rand(len(names), len(batch)) < share
    keeper_B = torch.randint(len(names), (len(batch),))
    lost_B = dropped_MB.all(dim=0)
    dropped_MB[keeper_B[lost_B], lost_B.nonzero().squeeze(1)] = False
    dropped = {name: rows.to(_device(batch.inputs[name])) for name, rows in zip(names, dropped_MB, strict=True)}
    return replace(batch, inputs={name: without(value, dropped[name]) for name, value in batch.inputs.items()})


def _device(value: Input) -> torch.device:
    tensors = [*value.features.values(), *([value.index] if value.index is not None else [])]
    return tensors[0].device


def take_away(batch: Batch, lacking: Mapping[str, Tensor]) -> Batch:
    """A batch in which the marked rows of some modalities have no value; modality → `[B]` bool."""
    changed = {name: without(batch.inputs[name], rows) for name, rows in lacking.items()}
    return replace(batch, inputs={**batch.inputs, **changed})
