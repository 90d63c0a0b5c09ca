"""Tables as a run reads them: given or named, with places for what stands in their texts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.data.batches import InputSpec
from plait.data.table import Table
from plait.errors import DataError
from plait.processors import TabularProcessor, WordsProcessor
from plait.processors.text import train_tokenizer
from plait.recipe import Recipe
from plait.runs.tables import make_source, need_targets, open_given, open_parts, source_for
from plait.tasks import Regression, Targets

NUMBERS = {
    "tabular": InputSpec(
        ("x",), TabularProcessor.fit({"x": [1.0, 2.0]}, numbers=["x"], dates=[], categories=[]), "tabular"
    )
}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_files_are_named_in_full_and_frames_are_not(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(csv.parent)
    frame = pd.DataFrame({"x": [5.0], "y": [6.0]})
    recipe, (train, val, test) = open_given(Recipe.parse({}), {"train": "t.csv", "val": frame, "test": None})
    assert recipe.data.train == str(csv.resolve()) and recipe.data.val is None and test is None
    assert len(train) == 3 and val is not None and val.cells("x", [0]) == [5.0]


def test_what_is_given_comes_before_what_the_recipe_names(csv: Path) -> None:
    recipe = Recipe.parse({"data": {"train": "nowhere.csv", "val": 0.25, "test": str(csv)}})
    made, (train, val, test) = open_given(recipe, {"train": csv, "val": None, "test": None})
    assert made.data.train == str(csv.resolve()) and made.data.val == 0.25
    assert len(train) == 3 and val is None and test is not None and len(test) == 3
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        open_given(recipe, {"train": None, "val": None, "test": None})
    with pytest.raises(DataError, match="which table"):
        open_given(Recipe.parse({}), {"train": None, "val": None, "test": None})


def test_a_share_and_none_are_no_tables(csv: Path) -> None:
    for val in (0.5, "none"):
        recipe = Recipe.parse({"data": {"train": str(csv), "val": val}})
        train, opened, test = open_parts(recipe)
        assert len(train) == 3 and opened is None and test is None
        assert open_given(recipe, {"train": None, "val": None, "test": None})[1][1] is None
    with pytest.raises(DataError, match="names no training table"):
        open_parts(Recipe.parse({}))


def test_a_column_that_a_table_lacks_is_said_and_none_at_all_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    two = {"tabular": InputSpec(("x", "z"), NUMBERS["tabular"].processor, "tabular")}
    assert len(source_for(Recipe.parse({}), pd.DataFrame({"x": [1.0]}), two, None, verbose=True)) == 1
    assert "has no column z; it counts as missing in every row" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(DataError, match=r"none of the columns that the model reads \(x, z\)"):
        source_for(Recipe.parse({}), pd.DataFrame({"other": [1.0]}), two, None)


def test_targets_to_score_with_must_be_there() -> None:
    targets = Targets({"y": Regression(0.0, 1.0)})
    recipe = Recipe.parse({})
    whole = make_source(recipe, Table.from_frame(pd.DataFrame({"x": [1.0], "y": [2.0]})), NUMBERS, targets)
    assert need_targets(whole, targets) is whole
    np.testing.assert_allclose(whole.targets["y"].numpy().ravel(), [2.0])
    less = make_source(recipe, Table.from_frame(pd.DataFrame({"x": [1.0], "yy": [2.0]})), NUMBERS, targets)
    with pytest.raises(DataError, match="unknown column 'y'; did you mean 'yy'"):
        need_targets(less, targets)


@pytest.mark.parametrize(
    ("text", "photo", "message"),
    [
        ("<photo> what is it", "a.png", None),
        ("what is it", "a.png", None),  # no place at all: it stands where the prompt says
        ("<photo> or <photo>", "a.png;b.png", None),
        ("<photo> or <photo>", "a.png", r"row 1: 2 places \(<photo>\) in its texts and 1 values"),
        ("<photo>", None, r"row 1: 1 places \(<photo>\) in its texts and 0 values"),
    ],
)
def test_each_value_has_one_place(text: str, photo: Any, message: str | None) -> None:
    words = WordsProcessor(train_tokenizer(["a b"], 300, True, ["[PAD]"]), ["photo"], "photo")
    inputs = {"text": InputSpec(("text",), words, "text"), "photo": InputSpec(("photo",), words, "image")}
    table = Table.from_frame(pd.DataFrame({"text": [text], "photo": pd.Series([photo], dtype=object)}))
    if message is None:
        assert len(make_source(Recipe.parse({}), table, inputs, None)) == 1
    else:
        with pytest.raises(DataError, match=message):
            make_source(Recipe.parse({}), table, inputs, None)
