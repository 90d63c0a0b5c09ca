"""A model over rows: outputs in the plan's order, the model as it was before."""

import numpy as np
import pytest
import torch
from torch import nn

from plait.data.batches import TensorSource
from plait.data.plan import BatchPlan
from plait.training.evaluate import Runner, outputs_of
from plait.types import POOLED, Batch, Output

SOURCE = TensorSource({"a": {"x": torch.arange(10.0).unsqueeze(1)}}, {"y": torch.zeros(10)})


class Doubling(nn.Module):
    """Says twice what it reads; fails where it is told to."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.dropout, self.fails = nn.Dropout(0.5), fails
        self.seen: list[list[int]] = []

    def forward(self, batch: Batch) -> Output:
        if self.fails:
            raise RuntimeError("no room")
        self.seen.append(batch.rows.tolist())
        x = batch.inputs["a"].features["x"]
        return Output({"y": self.dropout(x * 2)}, x, {}, {})


@pytest.mark.parametrize("groups", [None, np.arange(7) % 2])
def test_outputs_stand_in_the_order_of_the_plans_rows(groups: np.ndarray | None) -> None:
    rows = np.array([3, 9, 1, 0, 7, 4, 2])
    model = Doubling()
    found = outputs_of(model, SOURCE, BatchPlan(rows, 3, groups, shuffle=False), "float32", torch.device("cpu"))
    assert found["y"][:, 0].tolist() == (rows * 2.0).tolist() and found[POOLED][:, 0].tolist() == rows.tolist()
    assert sorted(row for seen in model.seen for row in seen) == sorted(rows.tolist()) and len(model.seen) > 1
    assert model.training and not found["y"].requires_grad  # dropout was off meanwhile


def test_a_row_that_comes_twice_is_answered_twice() -> None:
    rows = np.array([5, 1, 5])
    found = Runner(Doubling()).outputs(SOURCE, BatchPlan(rows, 2, shuffle=False))
    assert found["y"][:, 0].tolist() == [10.0, 2.0, 10.0]


def test_a_model_that_fails_goes_on_training() -> None:
    model = Doubling(fails=True)
    with pytest.raises(RuntimeError, match="no room"):
        Runner(model).outputs(SOURCE, BatchPlan(np.arange(3), 2, shuffle=False))
    assert model.training
