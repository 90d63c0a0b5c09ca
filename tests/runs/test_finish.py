"""What a trained model leaves: weights, scores of its outputs, answers, guesses beside them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.data.table import Table
from plait.recipe import Recipe
from plait.runs.facts import Stopwatch
from plait.runs.finish import finish
from plait.runs.folder import RunFolder
from plait.runs.prepare import Prepared, prepare
from plait.training.checkpoint import load_tensors


def prepared_of(**train: Any) -> Prepared:
    """Ten rows, of which every other says b; the last five are scored."""
    table = pd.DataFrame({"x": np.arange(10) % 3 / 2, "y": ["a", "b"] * 5, "part": ["train"] * 5 + ["val"] * 5})
    inputs = {"x": {"modality": "number"}}
    recipe = {"task": {"target": "y"}, "inputs": inputs, "data": {"split": "part"}, "train": train}
    return prepare(Recipe.parse(recipe), Table.from_frame(table))


def finished(prepared: Prepared, folder: Path, verbose: bool = False) -> tuple[dict[str, Any], list[Any]]:
    """Metrics, and what the report was told, of a model that says b to all but the second row."""
    told: list[Any] = []

    def outputs(source: Any, rows: np.ndarray, plan: Any) -> dict[str, torch.Tensor]:
        assert plan.rows.tolist() == rows.tolist() == [5, 6, 7, 8, 9]
        return {"y": torch.tensor([[0.0, 4.0], [4.0, 0.0]] + [[0.0, 4.0]] * 3)}

    def never(*_: Any) -> Any:
        raise AssertionError("one input alone has nothing to be compared with")

    folder.mkdir()
    run, watch = RunFolder(folder), Stopwatch()
    watch.lap("training")
    made = finish(prepared, run, "progress", watch, outputs, never, lambda *given: told.append(given), verbose)
    assert set(watch.seconds) == {"training", "evaluation", "baseline"}
    return made, told


def test_scores_answers_and_weights_are_left(tmp_path: Path) -> None:
    prepared = prepared_of()
    metrics, told = finished(prepared, tmp_path / "run")
    assert metrics["val"]["accuracy"] == 0.8  # b a b b b, where b a b a b is right
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == metrics
    assert metrics["baseline"] == {"majority": 0.4}  # a is the class of three in five training rows
    kept = load_tensors(tmp_path / "run" / "model.safetensors")[0]
    own = prepared.model.state_dict()
    assert kept.keys() == own.keys() and all(torch.equal(kept[name], own[name]) for name in own)
    frame = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert frame["row"].tolist() == [6, 7, 8, 9, 10] and frame["y"].tolist() == ["b", "a", "b", "b", "b"]
    assert not (tmp_path / "run" / "modalities.json").exists()
    ((run, given, progress, scores, scored, seconds, modalities, said),) = told
    assert run.path == tmp_path / "run" and given is prepared and progress == "progress" and modalities is None
    assert scores == {"val": metrics["val"]} and list(scored) == ["val"] and "training" in seconds
    assert said == "without a model, val accuracy: majority 0.400"


def test_guesses_are_named_after_the_score_that_they_have(tmp_path: Path) -> None:
    """The loss of a guess is not taken, so it is not called so."""
    metrics, told = finished(prepared_of(metric="loss"), tmp_path / "run")
    assert metrics["baseline"] == {"majority": 0.4} and told[0][-1] == "without a model, val accuracy: majority 0.400"


def test_guesses_can_be_left_out_and_scores_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics, told = finished(prepared_of(baseline="off"), tmp_path / "run", verbose=True)
    assert set(metrics) == {"val"} and told[0][-1] == ""
    said = capsys.readouterr().err
    assert "val: accuracy 0.800" in said and "without a model" not in said and "report.html" in said
