"""What trackers are told."""

from pathlib import Path

import pytest

from fakes import make


def test_tensorboard(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    make(folder=tmp_path / "run", train={"trackers": ["tensorboard"]}).fit(table)
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))
