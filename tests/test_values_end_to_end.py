"""What people meet in their first hour: their own frames and files, through fit and predict."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fakes import fitted, frame
from plait import Predictor
from plait.cli import app


@pytest.mark.parametrize("kind", ["integers", "floats with a hole", "booleans", "texts", "categories", "nullable"])
def test_predictions_are_what_the_table_holds(kind: str, tmp_path: Path) -> None:
    given = frame()
    high = given["a"] > 0
    given["y"] = {
        "integers": high.astype(int) * 2 - 1,
        "floats with a hole": high.astype(float).where(given.index != 5),
        "booleans": high,
        "texts": np.where(high, "07", "7"),
        "categories": pd.Categorical(np.where(high, 3, 10)),
        "nullable": high.astype("Int64"),
    }[kind]
    predictor = fitted(given, tmp_path, data={"on_error": "skip"})
    known = given[given["y"].notna()]
    said = predictor.predict(known)
    assert np.mean(said == known["y"].to_numpy()) == pytest.approx(predictor.evaluate(known)["accuracy"])
    assert Predictor.load(tmp_path / "run").predict(known).tolist() == said.tolist()


def test_one_empty_cell_changes_nothing(tmp_path: Path) -> None:
    """pandas turns a column of integers with a hole into floats; so do files that it writes."""
    random = np.random.default_rng(0)
    codes = random.integers(1, 9, 160)
    given = pd.DataFrame({"code": codes, "x": random.normal(size=160), "y": np.where(codes % 2, "odd", "even")})
    options = {"inputs": {"code": {"modality": "category"}, "x": {"modality": "number"}}}
    predictor = fitted(given.astype({"code": str}), tmp_path, **options)
    whole = predictor.evaluate(given)["accuracy"]
    holed = given.assign(code=given["code"].astype(float).where(given.index != 3))
    holed.to_csv(tmp_path / "holed.csv", index=False)
    assert whole > 0.95
    for carrier in (holed, tmp_path / "holed.csv"):
        assert predictor.evaluate(carrier)["accuracy"] >= whole - 1 / len(given)


def test_a_form_is_learned_and_used_again(tmp_path: Path) -> None:
    given = frame()
    written = given.assign(a=[f"{1000 * x:,.2f}".translate(str.maketrans(",.", ".,")) + " €" for x in given["a"]])
    written.to_csv(tmp_path / "t.csv", sep=";", index=False)
    predictor = fitted(tmp_path / "t.csv", tmp_path)
    assert predictor.schema_["a"].form == {"decimal": ",", "thousands": ".", "unit": "€"}
    plain = predictor.predict(given.assign(a=(1000 * given["a"]).round(2)))
    assert plain.tolist() == Predictor.load(tmp_path / "run").predict(tmp_path / "t.csv").tolist()
    target = fitted(tmp_path / "t.csv", tmp_path / "2", target="a")
    assert abs(target.predict(given).mean()) < 1000 and target.targets_.tasks["a"].to_json()["form"]["unit"] == "€"


def test_every_command_reads_what_train_reads(tmp_path: Path) -> None:
    rows = range(60)
    table = pd.DataFrame(
        {"a": [f"a thing of kind {i}" for i in rows], "b": [f"what thing {i} is called" for i in rows]}
    )
    table["price"], table["sold"] = [f"{i},5 €" for i in rows], [f"{1 + i % 28}/{1 + i % 12}/2026" for i in rows]
    table["answer"] = [i % 2 == 0 for i in rows]
    path, quick = tmp_path / "t.csv", ["train.epochs=1", "train.device=cpu", "train.baseline=off"]
    table.to_csv(path, sep=";", index=False)
    run, pairs, index = (str(tmp_path / name) for name in ("run", "pairs", "index"))
    for words in (
        ["check", path, "-t", "answer", "--json"],
        ["train", path, "-t", "answer", "-o", run, *quick],
        ["predict", run, path, "-o", tmp_path / "answers.csv"],
        ["predict", run, "--set", "price=1,5 €", "sold=31/12/2026"],
        ["evaluate", run, path, "--modalities"],
        ["compare", path, "-t", "answer", "--fusions", "concat", "--folds", "2", "-o", tmp_path / "against", *quick],
        ["train", path, "--task", "retrieval", "-o", pairs, "--type", "price=ignore", "--type", "sold=ignore", *quick],
        ["index", pairs, path, "-o", index],
        ["search", index, "a thing", "--where", "price > 1 and sold = '2/2/2026'", "--json"],
    ):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, (words, done.output, done.exception)
    (hit,) = json.loads(done.stdout)
    assert (hit["row"]["price"], hit["row"]["b"]) == (1.5, "what thing 1 is called")
