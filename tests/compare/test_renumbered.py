"""Rows of a table among fewer in memory."""

import numpy as np
import torch

from plait.compare.renumbered import Renumbered
from plait.data.batches import TensorSource


def test_rows_are_found_by_the_tables_numbers() -> None:
    kept = np.array([2, 5, 9])
    tensors = TensorSource({"x": {"x": torch.tensor([[20.0], [50.0], [90.0]])}}, {"y": torch.tensor([2, 5, 9])})
    place = np.zeros(10, dtype=np.int64)
    place[kept] = np.arange(3)
    batch = Renumbered(tensors, place).batch(np.array([9, 2]))
    assert batch.inputs["x"].features["x"].tolist() == [[90.0], [20.0]] and batch.targets["y"].tolist() == [9, 2]
    assert batch.rows.tolist() == [9, 2]
