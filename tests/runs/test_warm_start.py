"""A run that starts from a former one."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from plait.errors import PlaitError, RecipeError
from plait.predictor import Predictor
from tasks.captions import TRAIN, caption_table, written


def test_starting_from_a_run(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    train = {**TRAIN, "epochs": 1}
    first = written(path, tmp_path / "first", train=train)
    again = {**train, "start": str(tmp_path / "first"), "self_critical": 0.5, "learning_rate": 1e-9}
    second = written(path, tmp_path / "again", train=again)
    old, new = (run.model_.head.state_dict() for run in (first, second))
    assert all(torch.allclose(old[name], new[name], atol=1e-5) for name in old)
    with pytest.raises(PlaitError, match="expected a run folder"):
        written(path, tmp_path / "second", train={**train, "start": str(tmp_path / "nothing")})
    other = tmp_path / "other"
    frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    Predictor("big", output=other, train=train, verbose=False).fit(frame)
    with pytest.raises(RecipeError, match="no weight of that run"):
        written(path, tmp_path / "second", train={**train, "start": str(other)})
