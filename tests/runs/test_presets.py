"""Presets fill in what a recipe leaves open, say so, and touch nothing else."""

from pathlib import Path
from typing import Any

import pytest

from compare.small import frame
from plait.errors import RecipeError
from plait.recipe import Recipe
from plait.runs import presets
from plait.runs.presets import DIM, RATE, TABULAR_LAYERS, apply_preset


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Any]:
    table = tmp_path / "table.csv"
    frame().to_csv(table, index=False)
    return {"data": {"train": str(table)}, "task": [{"target": "answer"}]}


def test_what_is_set_is_said_and_what_the_user_set_stays(base: dict[str, Any]) -> None:
    made, said = apply_preset(Recipe.parse(base), "good")
    assert made.fusion.dim == DIM and made.tabular.options == {"layers": TABULAR_LAYERS}
    assert any(line.startswith("tabular.layers: 0") for line in said) and "fusion.dim: 128" in said[0]
    mine = {"tabular": {"layers": 2}, "fusion": {"dim": 32}, "train": {"learning_rate": 0.01, "max_steps": 7}}
    made, said = apply_preset(Recipe.parse({**base, **mine}), "fast")
    assert made.fusion.dim == 32 and made.tabular.options == {"layers": 2}
    assert made.train.learning_rate == 0.01 and made.train.max_steps == 7
    assert not any("tabular" in line or "dim" in line or "train" in line for line in said)
    made, said = apply_preset(Recipe.parse({**base, "data": {**base["data"], "types": {"size": "ignore"}}}), "good")
    assert not made.tabular.options and not any("tabular" in line for line in said)  # no such column


def test_encoders_of_packages_where_they_are_installed(base: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "is_present", lambda module: True)
    made, said = apply_preset(Recipe.parse(base), "good")
    assert made.inputs["title"].encoder == "packaged:minilm" and made.inputs["title"].frozen
    assert any("title: packaged:minilm, frozen" in line for line in said)
    assert made.train.learning_rate == RATE and f"train.learning_rate: {RATE:g}" in said  # of heads on features
    own = {"inputs": {"title": {"modality": "text", "encoder": "scratch:bag"}, "size": {"modality": "number"}}}
    made, _ = apply_preset(Recipe.parse({**base, **own}), "good")
    assert made.inputs["title"].encoder == "scratch:bag" and made.train.learning_rate == 1e-3  # an encoder trains
    monkeypatch.setattr(presets, "is_present", lambda module: False)
    made, _ = apply_preset(Recipe.parse(base), "good")
    assert made.inputs == {} and made.train.learning_rate == 1e-3


def test_each_spends_more_than_the_one_before(base: dict[str, Any]) -> None:
    steps = {name: apply_preset(Recipe.parse(base), name)[0].train.max_steps for name in ("fast", "good", "best")}
    assert steps["fast"] < 3000 < steps["best"] and steps["good"] is None
    assert apply_preset(Recipe.parse({**base, "train": {"epochs": 3}}), "fast")[0].train.max_steps is None
    plain = Recipe.parse(base)
    assert apply_preset(plain, "plain") == (plain, [])
    with pytest.raises(RecipeError, match="unknown preset 'goood'; did you mean 'good'"):
        apply_preset(plain, "goood")


def test_written_texts_and_pairs_keep_their_own_encoders(base: dict[str, Any]) -> None:
    recipe = Recipe.parse({**base, "task": [{"target": "title", "type": "generation"}]})
    assert apply_preset(recipe, "good") == (recipe, [])
    closed, _ = apply_preset(Recipe.parse({**base, "fusion": {"method": "linear"}}), "fast")
    assert closed.train.max_steps is None and "dim" not in closed.fusion.model_fields_set  # which nothing would read
