"""Features of some rows in memory, read by the numbers that these rows have in their table."""

from dataclasses import replace

import numpy as np
import torch

from plait.data.batches import TensorSource
from plait.types import Batch


class Renumbered:
    """Tensors of some rows of a table.

    Args:
        tensors: of those rows.
        place: for each row of the table, which of them it is.
    """

    def __init__(self, tensors: TensorSource, place: np.ndarray) -> None:
        self.tensors, self.place = tensors, place

    def __len__(self) -> int:
        return len(self.tensors)

    def batch(self, rows: np.ndarray) -> Batch:
        batch = self.tensors.batch(self.place[rows])
        return replace(batch, rows=torch.from_numpy(np.asarray(rows, dtype=np.int64)))
