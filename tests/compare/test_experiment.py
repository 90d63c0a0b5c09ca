"""One experiment: folds, encoders that are frozen, the precision of all."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from compare.small import FAST, frame, recipe_of
from plait.compare import candidates_of, session
from plait.compare.experiment import Experiment
from plait.compare.timing import settled_precision
from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import RecipeError
from plait.processors import MiniRocketProcessor
from plait.processors.series_cells import as_bytes
from plait.recipe import Recipe
from tasks.captions import caption_table


def test_compare_says_that_it_does_not_write(tmp_path: Path) -> None:
    recipe = Recipe.parse({"task": {"type": "generation", "target": "caption"}})
    with pytest.raises(RecipeError, match="chosen, not written"):
        Experiment(recipe, Table.from_frame(pd.read_csv(caption_table(tmp_path, 20)), tmp_path), 2, False)


def test_it_says_that_thresholds_wait_only_where_one_does() -> None:
    def said(**task: Any) -> bool:
        experiment = Experiment(recipe_of(task=[{"target": "answer", **task}]), open_table(frame()), 3, False)
        return any("wait for training" in note for note in experiment.notes)

    assert said(threshold="f1_macro") and said(costs={"yes": 20}) and not said()


def test_the_slowest_settles_the_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def chosen(model: Any, *rest: Any) -> tuple[str, str]:
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
        return "bfloat16", "made up"

    monkeypatch.setattr("plait.training.precision.has_bfloat16", lambda device: True)
    monkeypatch.setattr("plait.compare.timing.choose_precision", chosen)
    recipe = recipe_of(train={**FAST, "precision": "auto"})
    experiment = Experiment(recipe, open_table(frame()), 3, False)
    found = candidates_of(experiment.modalities, ["boosted", "concat", "perceiver"])
    monkeypatch.setattr("plait.compare.timing.median_ms", lambda work, rounds: timed.append(work()) or len(timed))
    timed: list[None] = []  # a clock that makes each step longer than the one before
    settled = settled_precision(experiment, found)
    perceiver = experiment.model(found[-1], experiment.fold(0), 0)
    assert settled == "bfloat16"
    assert sizes == [sum(parameter.numel() for parameter in perceiver.parameters())]
    trees = [candidate for candidate in found if candidate.method == "boosted"]
    assert settled_precision(experiment, trees) == "float32" and len(sizes) == 1


def test_frozen_encoders_are_encoded_once(tmp_path: Path) -> None:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    experiment = Experiment(recipe_of(inputs=inputs), session.open_table(frame()), 3, False)
    assert list(experiment.encoded) == ["title"]
    fold = experiment.fold(0)
    parts = [set(part.tolist()) for part in (fold.train, fold.val, fold.test)]
    assert set.union(*parts) == set(range(90)) and sum(map(len, parts)) == 90
    candidate = candidates_of(experiment.modalities, ["concat"])[-1]
    model = experiment.model(candidate, fold, seed=0)
    assert not list(model.encoders["title"].parameters())
    answer = experiment.run(candidate, 0, seed=0)
    assert answer.rows.tolist() == fold.test.tolist() and answer.predictions.shape == (len(fold.test), 2)


def test_a_sample_of_whole_groups() -> None:
    table = frame(120)
    table["owner"] = np.arange(120) // 4
    experiment = Experiment(recipe_of(data={"group": "owner"}), session.open_table(table), 3, False, most=50)
    assert 50 <= len(experiment.rows) <= 53
    assert all(len(part) == 4 for _, part in table.iloc[experiment.rows].groupby("owner"))
    assert any("of 120 rows are compared" in note for note in experiment.notes)


def test_what_is_fitted_to_rows_is_fitted_in_each_fold(tmp_path: Path) -> None:
    """Biases of MiniRocket are drawn from a fold's own training rows: series of test rows change nothing of them."""
    random = np.random.default_rng(0)
    rows = [{"sensor": random.normal(size=30).cumsum().tolist(), "answer": "ab"[n % 2]} for n in range(30)]
    inputs = {"sensor": {"modality": "series", "encoder": "fixed:minirocket", "features": 168, "frozen": True}}
    recipe = Recipe.parse({"task": {"target": "answer"}, "inputs": inputs, "train": {"device": "cpu"}})
    experiment = Experiment(recipe, open_table(rows), 3, verbose=False)
    assert experiment.encoded == {} and experiment.fittable and experiment.pointless()
    processors = [experiment.fold(number).inputs["sensor"].processor for number in range(3)]
    for number, processor in enumerate(processors):
        own = [as_bytes(rows[row]["sensor"]) for row in experiment.fold(number).train]
        assert processor.to_json() == MiniRocketProcessor.fit(own, features=168).to_json()
    assert processors[0].to_json() != processors[1].to_json()
