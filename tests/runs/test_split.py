"""Which rows train, validate and test."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table
from plait import Predictor

CPU = {"device": "cpu", "precision": "float32", "epochs": 1}


def make(target="answer", folder=None, **options) -> Predictor:
    options["train"] = {**CPU, **options.get("train", {})}
    return Predictor(target, output=folder, verbose=False, **options)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=150)


def test_groups_never_straddle(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["patient"] = np.arange(len(frame)) // 5
    predictor = make(folder=tmp_path / "run", data={"group": "patient", "val": 0.2, "test": 0.2}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    patients = {part: set(frame["patient"].iloc[rows["row"] - 1]) for part, rows in parts.groupby("part")}
    assert not patients["val"] & patients["test"] and predictor.schema_["patient"].modality == "ignore"


def test_split_column_and_given_files(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["split"] = ["train"] * 100 + ["val"] * 30 + ["test"] * 20
    make(folder=tmp_path / "run", data={"split": "split"}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert parts["part"].value_counts().to_dict() == {"val": 30, "test": 20}
    make(folder=tmp_path / "two").fit(frame[:100], val=frame[100:130], test=frame[130:])
    assert set(json.loads((tmp_path / "two" / "metrics.json").read_text())) == {"val", "test", "baseline"}
