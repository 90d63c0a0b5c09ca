"""Gradient blending: weights by hand, estimated once a run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait import Predictor
from plait.training.blending import JOINT, Losses, blend_weights


def test_blend_weights_by_hand() -> None:
    before = {"text": Losses(1.0, 1.1), "photo": Losses(1.0, 1.1), JOINT: Losses(1.0, 1.1)}
    after = {"text": Losses(0.4, 0.6), "photo": Losses(0.1, 0.8), JOINT: Losses(0.2, 0.5)}
    # gains 0.5, 0.3, 0.6; overfitting 0.2 - 0.1, 0.7 - 0.1, 0.3 - 0.1
    raw = np.array([0.5 / 0.01, 0.3 / 0.36, 0.6 / 0.04])
    assert list(blend_weights(before, after).values()) == pytest.approx(raw / raw.sum(), abs=1e-5)
    worse = {**after, "photo": Losses(0.1, 1.2)}
    assert blend_weights(before, worse)["photo"] == 0.0
    lucky = {"text": Losses(0.5, 0.6), "photo": Losses(0.5, 0.6)}  # no overfitting at all: counts as a tenth
    assert blend_weights(before, lucky) == {"text": 0.5, "photo": 0.5}
    assert blend_weights(before, {"text": Losses(1.0, 2.0), "photo": Losses(1.0, 2.0)}) == {"text": 0.5, "photo": 0.5}


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    size = random.normal(size=80)
    return pd.DataFrame({"size": size, "title": ["a", "b"] * 40, "answer": np.where(size > 0, "yes", "no")})


INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
TRAIN = {"epochs": 2, "device": "cpu", "precision": "float32"}


@pytest.mark.parametrize("fusion", ["concat", "late_mean"])
def test_a_run_estimates_its_blend_once_and_keeps_it(tmp_path: Path, fusion: str) -> None:
    train = {**TRAIN, "gradient_blending": 2}
    made = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", train=train, fusion=fusion, verbose=False)
    made.fit(frame())
    found = made.run_.read_json("blending.json")
    assert set(found) == {"tabular", "title", JOINT} and sum(found.values()) == pytest.approx(1, abs=1e-5)
    assert found["tabular"] > found["title"]  # the title says nothing
    assert "gradient blending, weights" in (tmp_path / "run" / "report.html").read_text()
    made.run_.write_json("blending.json", {"tabular": 0.0, "title": 1.0, JOINT: 0.0})
    resumed = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", verbose=False).fit(frame(), resume=True)
    assert resumed.run_.read_json("blending.json")["title"] == 1.0
