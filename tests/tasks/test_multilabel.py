"""Several labels a row."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from plait.tasks import Multilabel


def test_multilabel_loss_and_answers() -> None:
    task = Multilabel.fit([["x", "y"], ["y"], []], balanced=True)
    assert task.classes == ["x", "y"] and task.class_weights == pytest.approx([2.0, 0.5])
    logits, target = torch.randn(3, 2), torch.from_numpy(task.encode(["y", None, ["x", "z"]]))
    expected = F.binary_cross_entropy_with_logits(
        logits[[0, 2]], torch.tensor([[0.0, 1.0], [1.0, 0.0]]), pos_weight=torch.tensor([2.0, 0.5])
    )
    torch.testing.assert_close(task.loss(logits, target), expected)
    assert task.answers(np.array([[0.9, 0.6], [0.1, 0.2]])) == ["x;y", ""]
