"""Recipes that write: what does not fit is said in a line."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fakes import colour_table
from plait.data.table import Table
from plait.errors import PlaitError
from plait.predictor import Predictor
from plait.recipe import Recipe
from tasks.captions import TRAIN, caption_table


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fusion": "late_mean"}, "fusion.method=late_mean: it predicts by itself"),
        ({"train": {"auxiliary": 0.5}}, "train.auxiliary asks each modality for its own answer"),
        ({"decoder": "lstm"}, "decoder.method: .*there is no decoder 'lstm'|unknown decoder|lstm"),
        ({"decoder": {"layer": 3}}, "transformer has no option 'layer'"),
        ({"decoder": {"vocab_size": 100}}, "vocab_size=100: 256 bytes"),
        ({"generation": {"max_length": 500}}, "generation.max_length=500: texts of up to task.max_length=64"),
        ({"generation": {"beams": 0}}, "beams"),
        ({"task": {"type": "generation", "references": "other"}}, "unknown column 'other'"),
        (
            {"task": {"type": "classification", "max_length": 9}},
            "task.max_length: nothing reads it here, it belongs to generation",
        ),
        ({"task": {}, "train": {"scheduled_sampling": 0.5}}, "belongs to task.type=generation"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    path = caption_table(tmp_path, 24)
    with pytest.raises(PlaitError, match=message):
        Predictor("caption", output=tmp_path / "run", verbose=False, **{"task": {"type": "generation"}, **more}).fit(
            path
        )
    assert not (tmp_path / "run").exists()


def test_one_line_makes_it_classification(tmp_path: Path) -> None:
    """The decoder's section stays in the recipe; rows of rare answers are left out and said."""
    path = colour_table(tmp_path, 60)
    frame = pd.read_csv(path)[["photo", "title", "answer"]]
    frame.loc[:2, "answer"] = ["perhaps", "never", "perhaps not"]
    values = {
        "task": {"type": "classification", "target": "answer", "top_classes": 2},
        "decoder": "rnn",
        "generation": {"beams": 2},
        "train": {**TRAIN, "epochs": 1},
    }
    predictor = Predictor.from_recipe(Recipe.parse(values), tmp_path / "run", verbose=False)
    predictor.fit(Table.from_frame(frame, tmp_path))
    assert "decoder.method (task.type=generation)" in (tmp_path / "run" / "report.html").read_text()
    assert predictor.classes_.tolist() == ["no", "yes"]
    assert set(predictor.predict(Table.from_frame(frame, tmp_path))) <= {"no", "yes"}
