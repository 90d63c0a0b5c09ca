"""Inputs behind frozen encoders: stored features train as encoding each time does."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table
from plait import Predictor
from plait.errors import DataError


@pytest.mark.parametrize("shared", [False, True])
def test_stored_features_train_as_encoding_each_time_does(tmp_path: Path, shared: bool) -> None:
    """The same run with the feature store and without: the same scores to 1e-3; a second run encodes nothing."""
    table = colour_table(tmp_path, rows=80)
    frame = pd.read_csv(table)
    if shared:  # several questions an image, and a row without one
        frame["photo"] = [frame["photo"][row // 2] for row in range(80)]
        frame.loc[5, "photo"] = None
        frame.to_csv(table, index=False)
    train = {"epochs": 2, "device": "cpu", "precision": "float32", "learning_rate": 0.01}
    scores, proba = {}, {}
    for features in ("auto", "off"):
        predictor = Predictor(
            "answer", output=tmp_path / features, inputs={"photo": {"frozen": True}}, verbose=False,
            train={**train, "features": features}, data={"test": 0.2},
        ).fit(table)  # fmt: skip
        scores[features] = predictor.metrics_["test"]
        proba[features] = Predictor.load(tmp_path / features).predict_proba(table)
    assert scores["auto"] == pytest.approx(scores["off"], abs=1e-3)
    np.testing.assert_allclose(proba["auto"], proba["off"], atol=1e-3)
    again = Predictor.load(tmp_path / "auto")
    again.predict(table)
    assert sum(encoder.encoded for encoder in again._frozen._encoders.values()) == 0
    recipe = (tmp_path / "off" / "recipe.yaml").read_text()
    assert "features: 'off'" in recipe or "features: off" in recipe


def test_a_bad_picture_behind_a_frozen_encoder(tmp_path: Path) -> None:
    table = colour_table(tmp_path, rows=60)
    (tmp_path / "photos" / "7.png").write_bytes(b"no picture")
    options = {"inputs": {"photo": {"frozen": True}}, "train": {"epochs": 1, "device": "cpu"}, "verbose": False}
    with pytest.raises(DataError, match="row 8, column 'photo': .*7.png: expected an image"):
        Predictor("answer", output=tmp_path / "a", **options).fit(table)
    skipping = Predictor("answer", output=tmp_path / "b", data={"on_error": "skip"}, **options).fit(table)
    assert (tmp_path / "b" / "problems.jsonl").read_text().count("7.png") == 1
    problems: list[str] = []
    frames = list(skipping.predict_frames(table, problems=problems, on_error="missing"))
    assert sum(map(len, frames)) == 60 and len(problems) == 1 and "row 8" in problems[0]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_cache_that_can_not_be_written_is_said_once_and_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elsewhere: bool
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "file"))
    if not elsewhere:
        monkeypatch.setattr("plait.features.frozen.stand_in", lambda part: None)
    table = colour_table(tmp_path, rows=60)
    options = {"inputs": {"photo": {"frozen": True}}, "train": {"epochs": 1, "device": "cpu"}, "verbose": False}
    predictor = Predictor("answer", output=tmp_path / "run", **options).fit(table)
    predictor.predict(table)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("the feature store can't be written") == 1
    assert len(predictor.predict(table)) == 60
