"""What trackers are told."""

from pathlib import Path

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


def test_tensorboard(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    make(folder=tmp_path / "run", train={"trackers": ["tensorboard"]}).fit(table)
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))
