"""Folders of images."""

from pathlib import Path

import numpy as np
import pytest

from fakes import picture
from plait.checks.health import check
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.errors import DataError
from plait.modalities import resolve_media


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_image_folder_of_labels_and_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("red", "blue"):
            picture(tmp_path / split / label / "1.png", label)
    table = open_table(tmp_path)
    rows = {tuple(table.cells(name, [i])[0] for name in ("image", "label", "split")) for i in range(4)}
    assert ("train/red/1.png", "red", "train") in rows and len(rows) == 4
    assert resolve_media(table.root, "train/red/1.png").is_file()


def test_image_folder_with_metadata(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "1.png", "red")
    write(tmp_path / "train" / "metadata.csv", "file_name,caption\n1.png,a red thing\n")
    table = open_table(tmp_path)
    assert table.cells("caption", [0]) == ["a red thing"] and table.cells("image", [0]) == ["train/1.png"]
    write(tmp_path / "train" / "metadata.csv", "name,caption\n1.png,a red thing\n")
    with pytest.raises(DataError, match="expected a column file_name"):
        open_table(tmp_path)


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no image"):
        open_table(tmp_path)


def test_metadata_of_a_picture_folder_names_files_in_it(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,text\na.png,x\n/etc/hosts,y\n../private.png,z\n,w\n")
    table = open_table(folder)
    assert table.cells("image", range(4)) == ["a.png", "/etc/hosts", "../private.png", None]
    found = check({"train": (table, np.arange(4))}, infer_schema(table, {"image": "image"}))
    assert [f.count for f in found.findings if f.kind == "unusable_picture"] == [2]
    (folder / "metadata.csv").write_text("file_name,image\na.png,x\n")
    with pytest.raises(DataError, match="column image beside file_name"):
        open_table(folder)
