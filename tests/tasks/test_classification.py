"""Classification: losses, classes and their weights."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from fakes import make
from plait.tasks import Classification


def test_class_weights_move_answers_towards_the_rare_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=400)})
    frame["y"] = np.where(frame["x"] + random.normal(size=400) > 1.8, "rare", "common")
    plain = make("y", folder=tmp_path / "a", train={"epochs": 5}).fit(frame)
    weighed = make("y", folder=tmp_path / "b", task={"class_weights": "balanced"}, train={"epochs": 5}).fit(frame)
    assert (weighed.predict(frame) == "rare").sum() > (plain.predict(frame) == "rare").sum()


def test_classification_loss_is_torchs_over_rows_with_a_target() -> None:
    task = Classification.fit(["b", "a", "a", "c"], balanced=True)
    assert task.classes == ["a", "b", "c"] and task.class_weights == pytest.approx([4 / 6, 4 / 3, 4 / 3])
    logits, target = torch.randn(5, 3), torch.from_numpy(task.encode(["a", "c", None, "new", "b"]))
    assert target.tolist() == [0, 2, -1, -2, 1]
    real = [0, 1, 4]
    expected = F.cross_entropy(logits[real], target[real], torch.tensor(task.class_weights))
    torch.testing.assert_close(task.loss(logits, target), expected)
    smooth = Classification(["a", "b", "c"], label_smoothing=0.2)
    torch.testing.assert_close(
        smooth.loss(logits, target), F.cross_entropy(logits[real], target[real], label_smoothing=0.2)
    )
    torch.testing.assert_close(
        smooth.row_loss(logits, target)[real], F.cross_entropy(logits[real], target[real], reduction="none")
    )


def test_classes_sort_as_people_count_and_whole_floats_are_integers() -> None:
    task = Classification.fit([10.0, 2.0, 1.0])
    assert task.classes == [1, 2, 10] and task.encode([2, "10", 1.0]).tolist() == [1, 2, 0]
