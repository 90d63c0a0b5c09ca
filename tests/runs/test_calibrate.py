"""Probabilities that mean what they say, fitted to rows that did not choose the weights, and kept in the run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait import Predictor
from plait.metrics import METRICS


def noisy(rows: int, seed: int = 0) -> pd.DataFrame:
    """A label that a number tells in 80 % of the rows: a model that learns its rows by heart is too sure."""
    random = np.random.default_rng(seed)
    size, other = random.normal(size=(2, rows))
    answer = np.where((size > 0) ^ (random.random(rows) < 0.2), "yes", "no")
    return pd.DataFrame({"size": size, "other": other, "answer": answer})


def fit(folder: Path, **train: Any) -> Predictor:
    settings = {
        "device": "cpu",
        "precision": "float32",
        "epochs": 200,
        "evaluate_every": 200,
        "schedule": "constant",
        "learning_rate": 0.02,
        "batch_size": 32,
        **train,
    }
    predictor = Predictor("answer", output=folder, train=settings, fusion={"dim": 64}, verbose=False)
    return predictor.fit(noisy(60), val=noisy(800, 1))


def test_the_error_falls_and_the_run_keeps_the_temperature(tmp_path: Path) -> None:
    calibrated, plain = fit(tmp_path / "a"), fit(tmp_path / "b", calibrate="off")
    table = noisy(2000, 2)
    task: Any = calibrated.targets_.tasks["answer"]
    assert task.temperature > 2 and plain.targets_.tasks["answer"].temperature == 1.0
    loaded = Predictor.load(tmp_path / "a")
    assert loaded.predict_proba(table) == pytest.approx(calibrated.predict_proba(table), abs=1e-6)
    scores = [one.evaluate(table, ["ece", "log_loss", "accuracy"]) for one in (calibrated, plain)]
    assert scores[0]["ece"] < 0.7 * scores[1]["ece"] and scores[0]["log_loss"] < 0.7 * scores[1]["log_loss"]
    assert scores[0]["accuracy"] == scores[1]["accuracy"]  # the likeliest class stays the likeliest
    page = (tmp_path / "a" / "report.html").read_text()
    assert "probabilities at temperature" in page and "share that is right" in page
    assert "temperature" not in (tmp_path / "b" / "processors" / "targets.json").read_text()


def test_few_rows_and_other_tasks_are_left_alone(tmp_path: Path) -> None:
    predictor = Predictor("answer", output=tmp_path / "few", train={"device": "cpu", "epochs": 1}, verbose=False)
    assert predictor.fit(noisy(300)).targets_.tasks["answer"].temperature == 1.0
    table = noisy(300).assign(answer=np.arange(300) / 7)
    numbers = Predictor("answer", output=tmp_path / "n", train={"device": "cpu", "epochs": 1}, verbose=False)
    assert "ece" not in numbers.fit(table, val=table.sample(400, replace=True)).metrics_["val"]


def test_the_error_is_that_of_torchmetrics() -> None:
    theirs_of = pytest.importorskip("torchmetrics.functional.classification").multiclass_calibration_error
    random = np.random.default_rng(3)
    p, truth = random.dirichlet(np.ones(5), 400), random.integers(0, 5, 400)
    theirs = theirs_of(torch.from_numpy(p), torch.from_numpy(truth), 5, n_bins=15, norm="l1")
    assert METRICS["ece"].function(truth, p) == pytest.approx(float(theirs), abs=1e-6)
