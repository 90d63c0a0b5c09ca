from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import RecipeError
from plait.recipe import Recipe, apply_overrides

TEXT = """
data:   {train: products.csv, val: 0.1, test: test.csv, group: product_id}
inputs:
  title: {modality: text,   encoder: hf:bert-base-uncased, frozen: true}
  photo: {modality: image,  encoder: timm:resnet50, frozen: true, size: 192}
  price: {modality: number}
task:   {type: classification, target: category}
fusion: {method: low_rank, dim: 256, rank: 8}
train:  {epochs: 10, batch_size: 64, learning_rate: 3.0e-4, seed: 0, precision: auto}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "r.yaml").write_text(TEXT)
    return tmp_path / "r.yaml"


def test_the_designs_recipe_reads_and_round_trips(path: Path) -> None:
    recipe = Recipe.read(path)
    assert recipe.targets == ["category"] and recipe.fusion.options == {"rank": 8}
    assert recipe.inputs["photo"].options == {"size": 192} and recipe.train.learning_rate == 3e-4
    path.write_text(recipe.write())
    assert Recipe.read(path) == recipe


def test_overrides(path: Path) -> None:
    recipe = Recipe.read(
        path, ["train.epochs=3", "fusion.method=gated", "inputs.photo.frozen=false", "task.type=regression"]
    )
    assert recipe.train.epochs == 3 and recipe.fusion.method == "gated"
    assert not recipe.inputs["photo"].frozen and recipe.task[0].type == "regression"
    assert apply_overrides({}, [r"inputs.a\.b.encoder=x"]) == {"inputs": {"a.b": {"encoder": "x"}}}
    with pytest.raises(RecipeError, match="expected key=value"):
        Recipe.read(path, ["train.epochs"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "unknown key 'train.epoch'; did you mean 'epochs'"),
        ("trian.epochs=3", "unknown key 'trian'; did you mean 'train'"),
        ("data.tain=x", "unknown key 'data.tain'; did you mean 'train'"),
        ("train.epochs=many", "train.epochs: expected a valid integer.*got 'many'"),
        ("train.epochs=0", "train.epochs: expected greater than or equal to 1, got 0"),
        (
            "train.precision=double",
            "train.precision: expected 'auto', 'float32', 'bfloat16' or 'bfloat16_matmul', got 'double'",
        ),
        ("data.on_error=ignore", "data.on_error: expected 'refuse', 'skip' or 'missing'"),
    ],
)
def test_mistakes_get_one_line(path: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        Recipe.read(path, [override])
    assert "\n" not in str(caught.value) and "r.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("- 1", "expected sections"), ("", "expected sections")]
)
def test_files_that_are_no_recipes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        Recipe.read(tmp_path / "r.yaml")
    with pytest.raises(RecipeError, match="no such file"):
        Recipe.read(tmp_path / "none.yaml")


def test_several_targets() -> None:
    recipe = Recipe.parse({"task": {"target": ["a", "b"], "class_weights": "balanced"}})
    assert recipe.targets == ["a", "b"] and recipe.task[1].class_weights == "balanced"
    recipe = Recipe.parse({"task": [{"target": "a"}, {"target": "b", "weight": 2}]})
    assert recipe.task[1].weight == 2


@given(st.dictionaries(st.sampled_from(["epochs", "seed", "batch_size"]), st.integers(1, 10**6)))
def test_any_valid_settings_round_trip(values: dict) -> None:
    recipe = Recipe.parse({"train": values, "task": {"target": "ü: #"}})
    import yaml

    assert Recipe.parse(yaml.safe_load(recipe.write())) == recipe


def test_an_input_can_be_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("inputs: {a: {modality: text}, b: {modality: image}}")
    assert list(Recipe.read(path, ["inputs.a=null"]).inputs) == ["b"]


def test_features_off_in_yaml(tmp_path: Path) -> None:
    from plait.recipe import Recipe

    (tmp_path / "r.yaml").write_text("task: {target: y}\ntrain: {features: off, baseline: off}\n")
    read = Recipe.read(tmp_path / "r.yaml")
    assert read.train.features == read.train.baseline == "off"
