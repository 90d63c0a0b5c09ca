"""Data sets of the hub and those saved to a folder."""

from pathlib import Path

import pyarrow as pa
import pytest

from plait.data.readers import open_table
from plait.errors import DataError, PlaitError


def test_a_saved_dataset_reads_no_file_outside_its_folder(tmp_path: Path, folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"photo": datasets.Image(decode=False)})
    for path in ("/etc/hosts", str(tmp_path / "private.png"), "../private.png", "link.png"):
        saved = tmp_path / f"set{len(path)}"
        made = datasets.Dataset.from_dict({"photo": [{"path": "a.png", "bytes": b"\x89PNG"}]}, features=features)
        made.save_to_disk(str(saved))
        (saved / "link.png").symlink_to(tmp_path / "private.png")
        arrow = next(saved.glob("*.arrow"))
        table = pa.table({"photo": pa.array([{"bytes": None, "path": path}], made.data.table.column(0).type)})
        with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        with pytest.raises(DataError, match="leaves the table's folder"):
            open_table(saved)


def test_a_hub_name_without_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PlaitError, match="no hub answers"):
        open_table("hf:someone/some-pictures")
