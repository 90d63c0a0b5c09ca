"""Several models as one: the mean of their answers, trained, saved and opened like any other run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import CPU
from plait import Predictor
from plait.build.ensemble import EnsembleModel, member_recipe, members_of
from plait.errors import RecipeError
from plait.recipe import Recipe

TEXT = {"modality": "text", "encoder": "scratch:bag", "frozen": True}
INPUTS = {"size": {"modality": "number"}, "colour": {"modality": "category"}, "title": TEXT}
MEMBERS = [
    {"method": "product", "weight": 2, "temperature": 1.5, "epochs": 4},
    {"method": "concat", "inputs": ["title"], "weight": 1, "temperature": 0.8, "epochs": 4},
    {"method": "late_mean", "epochs": 4},
]


def frame(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    size, word = random.normal(size=rows), random.choice(["cold", "warm"], rows)
    answer = np.where((size > 0) == (word == "warm"), "yes", "no")
    titles = [f"a {one} thing" for one in word]
    titles[0] = None
    columns = {"size": size, "colour": random.choice(["red", "blue"], rows), "title": titles, "answer": answer}
    return pd.DataFrame(columns)


def recipe(**sections: Any) -> Recipe:
    fusion = {"method": "ensemble", "dim": 16, "members": MEMBERS}
    values = {"task": [{"target": "answer"}], "inputs": INPUTS, "fusion": fusion, "data": {"val": "none"}}
    return Recipe.parse({**values, "train": CPU, **sections})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Path]:
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    return Predictor.from_recipe(recipe(), folder, verbose=False).fit(frame()), folder


def test_it_answers_the_members_weighted_mean_at_their_temperatures(trained: tuple[Predictor, Path]) -> None:
    predictor, _ = trained
    model: Any = predictor.model_
    assert isinstance(model, EnsembleModel) and len(model.members) == 3
    table = frame()
    found = predictor.predict_proba(table)
    source = predictor._source(table, None)
    batch = source.batch(np.arange(len(table)))
    model.eval()
    with torch.inference_mode():
        shares = [
            (member(batch).predictions["answer"] / warm).softmax(1)
            for member, warm in zip(model.members, (1.5, 0.8, 1.0), strict=True)
        ]
    expected = (2 * shares[0] + shares[1] + shares[2]) / 4
    assert found == pytest.approx(expected.numpy(), abs=1e-5)
    assert not np.allclose(shares[0], shares[2])  # each has learned by itself


def test_it_is_opened_and_answers_the_same(trained: tuple[Predictor, Path], tmp_path: Path) -> None:
    predictor, folder = trained
    loaded = Predictor.load(folder)
    table = frame()
    assert loaded.predict_proba(table) == pytest.approx(predictor.predict_proba(table), abs=1e-6)
    assert loaded.evaluate(table) == predictor.evaluate(table)
    few = table.head(3)  # too few to be stored: encoded on the way
    assert loaded.predict_proba(few) == pytest.approx(predictor.predict_proba(table)[:3], abs=1e-5)
    saved = predictor.save(tmp_path / "copy")
    assert Predictor.load(saved).predict(table).tolist() == predictor.predict(table).tolist()
    assert not (folder / "checkpoints").exists() or not list((folder / "checkpoints").iterdir())


def test_shared_encoders_are_kept_once(trained: tuple[Predictor, Path]) -> None:
    state = trained[0].model_.state_dict()
    assert sum("embedding" in name for name in state) == 1
    places = [tensor.data_ptr() for tensor in state.values() if tensor.numel()]
    assert len(places) == len(set(places))


def test_boosted_trees_and_closed_forms_are_members_too(tmp_path: Path) -> None:
    members = [{"method": "linear"}, {"method": "kernel_product"}, {"method": "concat", "epochs": 2}]
    chosen = recipe(fusion={"method": "ensemble", "dim": 16, "members": members})
    predictor = Predictor.from_recipe(chosen, tmp_path / "run", verbose=False).fit(frame())
    loaded = Predictor.load(tmp_path / "run")
    assert loaded.predict_proba(frame()) == pytest.approx(predictor.predict_proba(frame()), abs=1e-6)
    assert (loaded.predict(frame()) == frame()["answer"]).mean() > 0.8


def test_a_member_is_a_recipe_of_its_own() -> None:
    first, second, _ = members_of(recipe())
    one = member_recipe(recipe(), first)
    assert one.fusion.method == "product" and one.fusion.dim == 16 and one.train.epochs == 4
    assert list(member_recipe(recipe(), second).inputs) == ["title"]


STRANGE: list[Any] = [[], {"a": 1}, [{"weight": 1}], [{"method": ["a"]}], [{"method": "concat"}] * 101]
STRANGE += [
    [{"method": "concat", key: value}]
    for key, values in {"weight": [0, -5, "a", None, float("nan")], "temperature": [0, "x"], "inputs": [5, [1]]}.items()
    for value in values
]


@pytest.mark.parametrize("members", STRANGE)
def test_a_strangers_members_are_checked(members: Any) -> None:
    fusion = recipe().fusion.model_copy()
    fusion.members = members  # as a file may hold it
    with pytest.raises(RecipeError, match="expected fusion.members, a list of"):
        members_of(recipe().model_copy(update={"fusion": fusion}))


def test_it_is_calibrated_on_rows_that_chose_no_member(tmp_path: Path) -> None:
    members = [{"method": "concat", "epochs": 2}, {"method": "product", "epochs": 2}]
    chosen = recipe(fusion={"method": "ensemble", "dim": 16, "members": members}, data={})
    predictor = Predictor.from_recipe(chosen, tmp_path / "run", verbose=False).fit(frame(), val=frame(500))
    assert predictor.targets_.tasks["answer"].temperature != 1.0
    loaded = Predictor.load(tmp_path / "run")
    assert loaded.predict_proba(frame()) == pytest.approx(predictor.predict_proba(frame()), abs=1e-6)
