"""Settings that exclude each other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait import Predictor
from plait.errors import RecipeError


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    size = random.normal(size=80)
    return pd.DataFrame({"size": size, "title": ["a", "b"] * 40, "answer": np.where(size > 0, "yes", "no")})


INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
TRAIN = {"epochs": 2, "device": "cpu", "precision": "float32"}


def test_settings_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    for given, said in (
        ({"gradient_blending": 2, "auxiliary": 0.3}, "leave auxiliary at 0"),
        ({"gradient_modulation": 0.5, "shard": True}, "needs whole gradients"),
    ):
        with pytest.raises(RecipeError, match=said):
            Predictor("answer", train=given)
    with pytest.raises(RecipeError, match="data.val is none"):
        Predictor(
            "answer", output=tmp_path / "run", train={**TRAIN, "gradient_blending": 1}, data={"val": "none"},
            inputs=INPUTS, verbose=False,
        ).fit(frame())  # fmt: skip
    assert not (tmp_path / "run").exists()
