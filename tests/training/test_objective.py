"""What is learned from: losses, and the remedies where one modality wins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait import Predictor

TRAIN = {"epochs": 12, "device": "cpu", "precision": "float32", "learning_rate": 0.005, "batch_size": 16}

INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}


def dominated(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Both answer alike, but the number at once and the text only after learning words."""
    random = np.random.default_rng(seed)
    answer = random.choice(["yes", "no"], rows)
    words = {"yes": ["ape", "bee", "cow", "dog", "elk"], "no": ["fig", "gum", "hay", "ivy", "jam"]}
    titles = [f"{random.choice(words[said])} {random.integers(99)}" for said in answer]
    return pd.DataFrame(
        {"size": (answer == "yes") * 4.0 - 2 + random.normal(size=rows) / 4, "title": titles, "answer": answer}
    )


REMEDIES = [{"modality_dropout": 0.4}, {"auxiliary": 1.0}, {"gradient_modulation": 0.5}, {"gradient_blending": 2}]


@pytest.mark.parametrize("remedy", REMEDIES)
def test_remedies_keep_the_weaker_modality_learning(tmp_path: Path, remedy: dict[str, float]) -> None:
    scores = {}
    for name, options in (("plain", {}), ("remedy", remedy)):
        predictor = Predictor(
            "answer", inputs=INPUTS, output=tmp_path / name, verbose=False, fusion={"method": "sum", "dim": 32},
            train={**TRAIN, "epochs": 5, "learning_rate": 0.003, **options},
        ).fit(dominated())  # fmt: skip
        report = predictor.modalities(dominated(seed=1))
        assert report.all > 0.95
        scores[name] = {one.name: one.alone for one in report.modalities}["title"]
        assert len(Predictor.load(tmp_path / name).predict(dominated(20))) == 20  # auxiliary heads load too
    assert scores["remedy"] >= scores["plain"] and scores["remedy"] > 0.9
