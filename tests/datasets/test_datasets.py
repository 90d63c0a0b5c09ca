"""Data sets of packages, on tiny folders of the packages' shape; the real ones where they are installed."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import picture
from plait.datasets import DATASETS, get_dataset
from plait.errors import DataError, RunError


def test_names_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown data set 'tuxpant'.*tuxpaint"):
        get_dataset("tuxpant", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can't be written"):
        get_dataset("easy-vqa", tmp_path / "file" / "under")
    assert all(entry.licence and entry.package for entry in DATASETS.values())


def test_a_data_set_that_can_not_be_had_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> list[Path]:
        picture(folder / "pictures" / "a.png", "red")
        raise DataError("the download failed")

    monkeypatch.setitem(DATASETS, "emoji", replace(DATASETS["emoji"], write=fails))
    with pytest.raises(DataError, match="the download failed"):
        get_dataset("emoji", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
