"""`plait compare`, and the options that it shares with `plait train`."""

import json
from pathlib import Path

import pytest

from cli.calls import Run, refused
from compare.small import frame

QUICK = ["train.device=cpu", "train.precision=float32", "train.batch_size=16", "--preset", "plain"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame().to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_a_comparison_from_the_command_line(plait: Run, table: Path, tmp_path: Path) -> None:
    options = ["--fusions", "product", "--folds", "2", "train.max_steps=40", "-o", tmp_path / "c", *QUICK, "--json"]
    code, out, error = plait("compare", table, "-t", "answer", *options)
    found = json.loads(out)
    assert code == 0 and found["decision"] in ("helps", "no evidence") and found["splits"] == "random rows"
    assert {"title", "tabular", "product", "majority"} <= {row["name"] for row in found["rows"]}
    assert "folds of random rows" in error and "each until it no longer improves" in " ".join(error.split())


@pytest.mark.slow
def test_time_runs_out_for_what_is_not_needed(plait: Run, table: Path, tmp_path: Path) -> None:
    options = ["--fusions", "concat,product", "--folds", "2", "train.epochs=1", "-o", tmp_path / "c", *QUICK, "--json"]
    code, out, _ = plait("compare", table, "-t", "answer", *options, "--time-limit", "1s")
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    assert code == 0 and rows["concat"]["score"] is not None
    assert rows["product"]["failed"] == "not begun: the time limit" or rows["product"]["score"] is not None


def test_train_and_compare_take_the_same_presets(plait: Run, table: Path, tmp_path: Path) -> None:
    asked = ["-t", "answer", "inputs.title.encoder=scratch:bag", "train.device=cpu"]
    code, _, error = plait("train", table, *asked, "train.max_steps=30", "-o", tmp_path / "run", "--time-limit", "5m")
    assert code == 0 and "good: fusion.dim: 128" in error and "good: tabular.layers: 0" in error
    recipe = (tmp_path / "run" / "recipe.yaml").read_text()
    assert "epochs: auto" in recipe and "time_limit: 300" in recipe and "max_steps: 30" in recipe
    again = plait("train", tmp_path / "run" / "recipe.yaml", "-o", tmp_path / "again")
    assert again[0] == 0 and "good:" not in again[2]  # a run's own recipe is whole
    metrics = [(tmp_path / name / "metrics.json").read_text() for name in ("run", "again")]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--preset", "goood"], ["unknown preset 'goood'", "did you mean 'good'"]),
        (["--time-limit", "soon"], ["--time-limit soon", "90s, 10m or 1h30m"]),
        (["--time-limit", "0"], ["--time-limit 0"]),
        (["train.schedule=cosine"], ["train.schedule=cosine", "set train.epochs too"]),
        (["train.epochs=3", "train.max_steps=9"], ["train.max_steps", "train.epochs=auto"]),
    ],
)
def test_mistakes_get_one_line(plait: Run, table: Path, tmp_path: Path, options: list[str], parts: list[str]) -> None:
    encoder = "inputs.title.encoder=scratch:bag"
    refused(
        plait("train", table, "-t", "answer", "-o", tmp_path / "run", encoder, "train.device=cpu", *options), *parts
    )
    assert not (tmp_path / "run").exists()
