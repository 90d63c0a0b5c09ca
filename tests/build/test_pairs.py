"""Recipes about pairs: what makes no sense is said in a line."""

from pathlib import Path
from typing import Any

import pytest

from plait.errors import PlaitError
from plait.predictor import Predictor
from plait.recipe import Recipe, names_of

QUICK = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"task": {"type": "retrieval", "target": "answer"}}, "retrieval has no target"),
        ({"task": {"type": "retrieval", "margin": 0.5}}, "belongs to task.loss=triplet"),
        ({"task": {"type": "retrieval", "class_weights": "balanced"}}, "belongs to multilabel, classification"),
        ({"task": {"type": "retrieval", "anchor": "foto"}}, "foto"),
        ({"task": {"type": "retrieval"}, "fusion": {"method": "gated"}}, "nothing is fused"),
        ({"task": {"type": "retrieval"}, "fusion": {"hiden": 3}}, "did you mean 'hidden'"),
        ({"task": {"type": "retrieval"}, "head": {"hidden": 3}}, "head.hidden: nothing reads it"),
        ({"task": {"type": "retrieval"}, "train": {"auxiliary": 0.5}}, "train.auxiliary"),
        ({"task": {"type": "retrieval"}, "inputs": {"photo": {"modality": "image"}}}, "needs two inputs"),
        ({"task": [{"type": "retrieval"}, {"target": "answer"}]}, "only task"),
        ({"task": {"type": "classification"}}, "task.target is missing"),
        ({"task": {"type": "matching", "target": "title"}}, "expected 1 or 0"),
        ({"task": {"type": "matching"}, "fusion": {"method": "boosted"}}, "another fusion"),
        ({"task": {"type": "retrieval"}, "data": {"repeat": "title"}}, "title"),
    ],
)
def test_recipes_that_make_no_sense(recipe: dict[str, Any], said: str, colours: Path, tmp_path: Path) -> None:
    whole = {**recipe, "train": {**QUICK, **recipe.get("train", {})}}
    with pytest.raises(PlaitError, match=said):
        typed = names_of(recipe)
        Predictor.from_recipe(Recipe.parse(whole), tmp_path / "r", verbose=False, typed=typed).fit(colours)
