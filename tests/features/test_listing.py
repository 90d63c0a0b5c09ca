"""The list of stores: what is in them, what is damaged, what was not used for long."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from plait.errors import RunError
from plait.features.listing import DAY, describe_stores, prune_stores, show_stores, verify_stores
from plait.features.store import FeatureStore
from plait.modalities.media import content_key


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two stores: `new` of three rows, used an hour ago, and `old` of one, used forty days ago."""
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path))
    for name, rows, age in (("old", 1, 40 * DAY), ("new", 3, 3600)):
        meta = {"width": 4, "dtype": "float32", "encoder": f"of {name}"}
        store = FeatureStore(tmp_path / "features" / name, meta)
        store.add([content_key(bytes([n])) for n in range(rows)], [np.ones((1, 4), np.float32)] * rows)
        then = time.time() - age
        os.utime(tmp_path / "features" / name / "meta.json", (then, then))
    return tmp_path / "features"


def test_stores_are_listed_the_latest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = describe_stores()
    assert [(one["name"], one["encoder"], one["rows"]) for one in found] == [("new", "of new", 3), ("old", "of old", 1)]
    assert found[0]["bytes"] == sum(path.stat().st_size for path in (folder / "new").iterdir())
    assert all(len(one["used"]) == len("2026-11-27 08:30") for one in found)
    show_stores(found)
    said = capsys.readouterr().err
    assert "of new" in said and "2 stores in" in said


def test_damaged_rows_are_counted_store_by_store(folder: Path) -> None:
    assert verify_stores() == {"new": 0, "old": 0}
    rows = folder / "new" / "rows.bin"
    rows.write_bytes(rows.read_bytes()[:-1])
    (folder / "old" / "meta.json").write_text("{")
    assert verify_stores() == {"new": 1, "old": 1}


def test_stores_go_by_name_or_by_age(folder: Path) -> None:
    with pytest.raises(RunError, match="unknown store 'nwe'; did you mean 'new'"):
        prune_stores("nwe", 0)
    assert [one["name"] for one in prune_stores(None, 30)] == ["old"]
    assert prune_stores(None, 30) == [] and [path.name for path in folder.iterdir()] == ["new"]
    assert [(one["name"], one["rows"]) for one in prune_stores("new", 0)] == [("new", 3)]
    assert describe_stores() == []
