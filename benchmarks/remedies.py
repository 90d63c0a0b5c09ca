"""What keeps one modality from learning for all: each remedy's effect on a task that one modality dominates.

A number tells the answer of 93 % of the rows at once. The text tells all of them, by the majority of seven words out
of sixty, but takes longer to learn; a model of both that stops at what the number says stays at 0.93.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Row, row
from plait import Predictor

ROWS, TEST_ROWS, SEEDS = 600, 1000, 5
RIGHT, WORDS, EACH = 0.93, 60, 7
INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:transformer"}}
TRAIN = {"epochs": 10, "device": "cpu", "precision": "float32", "learning_rate": 1e-3, "schedule": "constant"}
REMEDIES: dict[str, dict[str, Any]] = {
    "none": {},
    "modality_dropout=0.3": {"modality_dropout": 0.3},
    "auxiliary=0.5": {"auxiliary": 0.5},
    "gradient_modulation=0.5": {"gradient_modulation": 0.5},
    "gradient_blending=3": {"gradient_blending": 3},
}


def run() -> list[Row]:
    """Accuracy of both and of each alone, and of both where half of the rows lack the number: means of five seeds."""
    rows = []
    for name, remedy in REMEDIES.items():
        scores = np.array([_scores(remedy, seed) for seed in range(SEEDS)])
        for what, values in zip(("both", "text alone", "half lack the number"), scores.T, strict=True):
            spread = f"{len(values)} seeds, deviation {values.std(ddof=1):.3f}"
            rows.append(row(f"remedies: {name}, {what}", float(values.mean()), "accuracy", spread, None))
    return rows


def dominated(rows: int, seed: int) -> pd.DataFrame:
    """A table of `size`, `title` and `answer`."""
    polarity = np.random.default_rng(99).choice([-1, 1], WORDS)
    random = np.random.default_rng(seed)
    picks = random.integers(WORDS, size=(rows, EACH))
    answer = polarity[picks].sum(axis=1) > 0
    told = answer == (random.random(rows) < RIGHT)
    size = np.where(told, 2.0, -2.0) + random.normal(size=rows) / 2
    titles = [" ".join(f"word{pick:02d}" for pick in row) for row in picks]
    return pd.DataFrame({"size": size, "title": titles, "answer": np.where(answer, "yes", "no")})


def _scores(remedy: dict[str, Any], seed: int) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        predictor = Predictor(
            "answer",
            inputs=INPUTS,
            output=Path(folder) / "run",
            fusion={"method": "concat", "dim": 64},
            train={**TRAIN, **remedy, "seed": seed},
            verbose=False,
        ).fit(dominated(ROWS, seed=0))
        report = predictor.modalities(dominated(TEST_ROWS, seed=1), curves=True)
    by_name = {one.name: one for one in report.modalities}
    alone = by_name["title"].alone
    assert alone is not None
    return report.all, alone, by_name["tabular"].missing[0.5]
