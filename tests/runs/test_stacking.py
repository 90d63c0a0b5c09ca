"""A combiner on answers of rows that were not trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plait import Predictor

TRAIN = {"epochs": 12, "device": "cpu", "precision": "float32", "learning_rate": 0.005, "batch_size": 16}


def table(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """`size` answers; `title` says nothing."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    titles = random.choice(["a thing", "some thing", "this thing"], rows)
    return pd.DataFrame({"size": size, "title": titles, "answer": np.where(size > 0, "yes", "no")})


INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}


def test_stacking_behind_the_predictor(tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", inputs=INPUTS, output=tmp_path / "run", fusion="late_stacking", train={**TRAIN, "epochs": 5},
        verbose=False,
    ).fit(table())  # fmt: skip
    weight = predictor.model_.fusion.weight
    assert not torch.equal(weight, type(predictor.model_.fusion)({"a": 1, "b": 1}, 2).weight)  # no longer the mean
    assert predictor.score(table(seed=2)) > 0.85
    loaded = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(loaded.predict_proba(table()), predictor.predict_proba(table()), atol=1e-6)
