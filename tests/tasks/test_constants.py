"""Every method beats the best constant on an easy table, whatever the target is and on whatever scale."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import pytest

from plait.build.fitted import BOOSTED, FITTED
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.data.table import Table
from plait.fusion import FUSIONS
from plait.recipe import Recipe

METHODS = [*FUSIONS, *FITTED]
SCALES = [(100.0, 10.0), (1e6, 1e3), (5e-3, 1e-3), (0.0, 1.0)]  # mean and standard deviation of the target
INPUTS = {
    "a": {"modality": "number"},
    "b": {"modality": "number"},
    "title": {"modality": "text", "encoder": "scratch:bag", "dim": 8},
}
BEST_CONSTANT = {"log_loss": np.log(2), "roc_auc": 0.5}


def table(rows: int = 160) -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers and a text that says nothing; and the sum of both, of mean 0 and deviation 1."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, rows))
    titles = [f"a {word} thing" for word in random.choice(["red", "blue"], rows)]
    total = (a + b - (a + b).mean()) / (a + b).std()
    return pd.DataFrame({"a": a, "b": b, "title": titles}), total


def experiment_on(target: Sequence[object], metric: str) -> Experiment:
    train = {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "precision": "float32", "device": "cpu"}
    sections = {
        "inputs": INPUTS,
        "task": {"target": "y"},
        "tabular": {"dim": 16, "layers": 0},
        "fusion": {"dim": 16},
        "head": {"hidden": 16},
        "train": {**train, "metric": metric},
    }
    frame = table()[0].assign(y=list(target))
    return Experiment(Recipe.parse(sections), Table.from_frame(frame), 2, verbose=False)


@cache
def of_scale(mean: float, std: float) -> Experiment:
    return experiment_on(mean + std * table()[1], "r2")


@cache
def of_classes(metric: str) -> Experiment:
    total = table()[1]
    labels = [["high"] * int(t > 0) + ["low"] * int(t < -1) for t in total]
    return experiment_on(labels if metric == "roc_auc" else np.where(total > 0, "high", "low"), metric)


def score(experiment: Experiment, method: str) -> float:
    inputs = ("tabular",) if method in FITTED else ("tabular", "title")  # these read what pretrained encoders say
    return experiment.run(Candidate(method, "fusion", inputs, method), 0, 0).score


@pytest.mark.parametrize(("place", "method"), list(enumerate(METHODS)))
def test_numbers_far_from_zero(place: int, method: str) -> None:
    assert score(of_scale(*SCALES[place % len(SCALES)]), method) > 0.1
    if method == BOOSTED:  # it once multiplied by the scale twice
        scores = [score(of_scale(*scale), method) for scale in SCALES]
        assert min(scores) > 0.8 and scores == pytest.approx([scores[0]] * len(scores), abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", METHODS)
def test_numbers_of_every_scale(method: str, scale: tuple[float, float]) -> None:
    assert score(of_scale(*scale), method) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
@pytest.mark.parametrize("method", METHODS)
def test_classes_and_labels(method: str, metric: str) -> None:
    found = score(of_classes(metric), method)
    assert found < BEST_CONSTANT[metric] if metric == "log_loss" else found > BEST_CONSTANT[metric] + 0.1
