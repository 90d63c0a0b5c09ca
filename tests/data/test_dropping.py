"""Values that are taken away."""

import pytest
import torch

from fakes import fake_batch
from plait.data.dropping import drop_modalities, without
from plait.types import Input


def test_taking_values_away_equals_rows_without_them() -> None:
    batch = fake_batch()
    rows = torch.tensor([False, True, False, False, True, False])
    value = without(batch.inputs["b"], rows)
    assert value.index.flatten().tolist() == [-1, -1, 2, 3, -1, 5]
    first = without(batch.inputs["a"], rows)
    assert first.index.flatten().tolist() == [0, -1, 2, 3, -1, 5] and first.features is batch.inputs["a"].features
    assert without(batch.inputs["a"], torch.ones(6, dtype=torch.bool)).empty
    stored = Input({"stored": torch.ones(2, 3, 4), "stored_mask": torch.ones(2, 3, dtype=torch.bool)})
    assert without(stored, torch.tensor([True, False])).features["stored_mask"].any(dim=1).tolist() == [False, True]


def test_modality_dropout_takes_its_share_and_never_all() -> None:
    torch.manual_seed(0)
    gone = torch.zeros(2)
    for _ in range(300):
        dropped = drop_modalities(fake_batch(), 0.4)
        lost = torch.stack([_lost(dropped.inputs[name]) for name in "ab"])
        gone += lost[:, 1:].float().mean(dim=1)  # row 0 never had b
        assert not lost[:, 1:].all(dim=0).any()
    # 0.4 less half of the 0.16 in which both would go
    assert (gone / 300).tolist() == pytest.approx([0.32, 0.32], abs=0.03)
    batch = fake_batch()
    assert drop_modalities(batch, 0.0) is batch


def _lost(value: Input) -> torch.Tensor:
    if value.empty:
        return torch.ones(6, dtype=torch.bool)
    return torch.zeros(6, dtype=torch.bool) if value.index is None else (value.index < 0).all(dim=1)
