"""Inputs and models from a recipe: what is left out, what is refused, how columns become one input."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import colour_table
from plait.build import model
from plait.build.model import build_inputs, build_model, complete_inputs, name_folders
from plait.data.readers import open_table
from plait.data.schema import Schema, infer_schema
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.recipe import InputRecipe, Recipe
from plait.runs.prepare import prepare
from plait.tasks import Classification, Targets

ROWS = 24
TARGETS = Targets({"y": Classification(["a", "b"])})


def table_of(**columns: Any) -> tuple[Table, Schema]:
    base = {"x": np.arange(ROWS) % 5 / 4, "t": [f"some words here {n % 3}" for n in range(ROWS)], "y": ["a", "b"] * 12}
    table = Table.from_frame(pd.DataFrame({**base, **columns}))
    return table, infer_schema(table, {}, {"y": "the target"}, None)


def test_every_column_that_says_something_is_an_input() -> None:
    _, schema = table_of(id=[f"A-{n:05d}" for n in range(ROWS)])
    assert {name: spec.modality for name, spec in complete_inputs({}, schema).items()} == {"x": "number", "t": "text"}
    made = complete_inputs({"t": InputRecipe.model_validate({"modality": "text", "frozen": True})}, schema)
    assert list(made) == ["t"]  # each says what it is: the others are left out
    made = complete_inputs({"t": InputRecipe.model_validate({"frozen": True})}, schema)
    assert list(made) == ["x", "t"] and made["t"].frozen and made["t"].modality == "text" and not made["x"].frozen


def test_inputs_that_are_none_are_refused() -> None:
    _, schema = table_of()
    with pytest.raises(RecipeError, match=r"inputs\.t\.modality: unknown modality 'txt'; did you mean 'text'"):
        complete_inputs({"t": InputRecipe(modality="txt")}, schema)
    with pytest.raises(DataError, match=r"inputs\.q: the column is ignored \(there is no such column\)"):
        complete_inputs({"q": InputRecipe()}, schema)
    with pytest.raises(DataError, match=r"no column is left to learn from \(y: "):
        complete_inputs({}, {"y": schema["y"]})


def test_folders_of_models_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    recipe = Recipe.parse({"inputs": {"t": {"modality": "text", "encoder": str(tmp_path)}, "u": {"encoder": "hf:a/b"}}})
    made = name_folders(recipe).inputs
    assert made["t"].encoder == f"hf:{tmp_path}" and made["u"].encoder == "hf:a/b"


def test_numbers_and_categories_are_one_input_and_a_bad_cell_is_named() -> None:
    table, schema = table_of(k=["red", "blue"] * 12)
    inputs = {"k": {"modality": "category"}, "x": {"modality": "number"}, "t": {"modality": "text"}}
    recipe = Recipe.parse({"inputs": inputs})
    specs = build_inputs(recipe, table, np.arange(ROWS), schema)
    assert {name: spec.columns for name, spec in specs.items()} == {"t": ("t",), "tabular": ("x", "k")}
    wrong, schema = table_of(x=["1"] * 6 + ["oops"] + ["2"] * 17)
    with pytest.raises(DataError, match=r"row 7: column 'x': expected a number, got 'oops'.*--type x=text"):
        build_inputs(Recipe.parse({"inputs": {"x": {"modality": "number"}}}), wrong, np.arange(ROWS), schema)
    kept = build_inputs(Recipe.parse({"inputs": {"x": {"modality": "number"}}}), wrong, np.arange(6), schema)
    assert list(kept) == ["tabular"]  # of rows that are not learned from nothing is asked here


def built(**sections: Any) -> Any:
    table, schema = table_of()
    inputs = {"x": {"modality": "number"}, "t": {"modality": "text", "encoder": "scratch:bag"}}
    recipe = Recipe.parse({"inputs": inputs, "task": {"target": "y"}, **sections})
    return build_model(recipe, build_inputs(recipe, table, np.arange(ROWS), schema), TARGETS)


def test_names_become_classes() -> None:
    made = built(fusion={"method": "product", "dim": 12})
    assert type(made.fusion).__name__ == "ProductFusion" and type(made.head).__name__ == "PredictHead"
    assert set(dict(made.encoders.items())) == {"tabular", "t"}
    assert type(built(fusion={"method": "late_mean"}).head).__name__ == "SplitHead"
    assert not list(built().auxiliary.items()) and len(list(built(train={"auxiliary": 0.5}).auxiliary.items())) == 2
    frozen = built(
        inputs={"t": {"modality": "text", "encoder": "scratch:bag", "frozen": True}, "x": {"modality": "number"}}
    )
    assert not any(p.requires_grad for p in frozen.encoders["t"].parameters())
    with pytest.raises(RecipeError, match="unknown fusion 'gatd'; did you mean 'gated'"):
        built(fusion={"method": "gatd"})
    with pytest.raises(RecipeError, match=r"it reads what pretrained encoders say, and inputs\.t has none"):
        built(fusion={"method": "boosted"})


def test_attention_over_columns_is_left_out_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    def layers() -> int:
        names = [name for name, _ in built().encoders["tabular"].named_modules()]
        return sum("attention" in name for name in names)

    assert layers() > 0
    monkeypatch.setattr(model, "WIDE", 0)
    assert layers() == 0


def test_an_input_may_name_its_column_so_that_one_column_is_read_twice(tmp_path: Path) -> None:
    table = open_table(colour_table(tmp_path, 30))
    sections: dict[str, Any] = {
        "task": {"target": "answer"},
        "inputs": {"photo:small": {"column": "photo", "size": 8}, "photo": {"size": 32}},
        "train": {"device": "cpu"},
    }
    prepared = prepare(Recipe.parse(sections), table)
    inputs = prepared.inputs
    assert inputs["photo:small"].columns == inputs["photo"].columns == ("photo",) and {"title", "tabular"} < set(inputs)
    batch = prepared.parts["train"].source.batch(np.arange(4))
    sizes = {name: batch.inputs[name].features["pixels"].shape[-1] for name in ("photo", "photo:small")}
    assert sizes == {"photo": 32, "photo:small": 8}  # each in its own way, whatever is cached
    again = prepared.parts["train"].source.batch(np.arange(4))
    assert torch.equal(again.inputs["photo:small"].features["pixels"], batch.inputs["photo:small"].features["pixels"])
    assert prepared.schema["photo"].modality == "image"


def test_a_modality_at_the_end_of_a_name_is_that_of_the_input() -> None:
    frame = pd.DataFrame({"a": [f"some words here {i}" for i in range(40)]})
    schema = infer_schema(Table.from_frame(frame))
    made = complete_inputs({"a:image": InputRecipe(column="a"), "a:2": InputRecipe(column="a")}, schema)
    reads = {name: (spec.modality, spec.reads(name)) for name, spec in made.items()}
    assert reads == {"a": ("text", "a"), "a:image": ("image", "a"), "a:2": ("text", "a")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"b": {"column": "a"}}, "b is a column itself"),
        ({"x": {"column": "titel"}}, "no column 'titel'"),
        ({"a:txt": {"column": "a"}}, "inputs.a:txt: txt is no modality; did you mean 'text'"),
        ({"x": {"column": "n"}}, "n is a number, and numbers, categories and dates share one input"),
    ],
)
def test_a_column_that_an_input_cannot_name_is_refused(given: dict[str, Any], said: str) -> None:
    frame = pd.DataFrame({"a": ["some words here"] * 20, "b": ["other words"] * 20, "n": np.arange(20) / 7})
    schema = infer_schema(Table.from_frame(frame))
    with pytest.raises(RecipeError, match=said):
        complete_inputs({name: InputRecipe(**spec) for name, spec in given.items()}, schema)
