"""Options that nothing reads: refused where they were typed, said where a recipe brings them."""

import copy
from pathlib import Path
from typing import Any

import pytest

from fakes import TRAIN, fitted, frame
from plait import Predictor
from plait.build.unread import unread
from plait.errors import RecipeError


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"task": {"label_smoothing": 0.1, "type": "regression"}, "target": "a"}, "task.label_smoothing"),
        ({"fusion": {"method": "product", "rank": 8}}, "fusion.rank"),
        ({"fusion": {"method": "late_mean", "dim": 64}}, "fusion.dim"),
        ({"decoder": "rnn"}, "decoder.method"),
        ({"generation": {"beams": 4}}, "generation.beams"),
        ({"inputs": {"a": {"size": 3}}}, "inputs.a.size"),
        ({"train": {"distillation": 0.2}}, "train.distillation"),
        ({"train": {"self_critical": 0.5}}, "train.self_critical"),
    ],
)
def test_an_option_that_nothing_reads_is_refused_where_it_was_typed(
    options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    target = options.pop("target", "y")
    with pytest.raises(RecipeError, match=f"^{name}: nothing reads it here"):
        fitted(frame(), tmp_path, target=target, **copy.deepcopy(options))
    assert not (tmp_path / "run").exists()
    recipe = Predictor(target, verbose=False, **{**options, "train": {**TRAIN, **options.get("train", {})}}).asked()[0]
    given = frame()
    given.to_csv(tmp_path / "t.csv", index=False)
    made = Predictor.from_recipe(recipe, tmp_path / "run", verbose=False).fit(
        tmp_path / "t.csv"
    )  # from a recipe it is said
    assert (
        name in (tmp_path / "run" / "report.html").read_text() and unread(made.recipe_, {target: "x"}).get(name) is None
    )
