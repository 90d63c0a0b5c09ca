"""`plait demo` without its package, and beside folders of others."""

import importlib.util
from pathlib import Path

import pytest

from cli.calls import Run, refused
from fakes import picture
from plait.errors import RunError


def test_a_demo_without_its_package_or_folder(tmp_path: Path, plait: Run, monkeypatch) -> None:
    (tmp_path / "file").write_text("x")
    if importlib.util.find_spec("easy_vqa"):
        refused(plait("demo", "-o", tmp_path / "file"), "can't be written")
    monkeypatch.setattr("plait.encoders.packaged.importlib.util.find_spec", lambda name: None)
    refused(plait("demo", "-o", tmp_path / "demo"), "pip install 'plait[demo]'")


def test_the_demo_removes_no_folder_but_its_own(tmp_path: Path) -> None:
    from plait.cli.demo import _remove_run

    picture(tmp_path / "image" / "mine.png", "red")
    with pytest.raises(RunError, match="holds something that is no run"):
        _remove_run(tmp_path / "image")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "recipe.yaml").write_text("")
    _remove_run(tmp_path / "both")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
