"""`plait features`."""

import json
from pathlib import Path

import pytest

from cli.calls import FAST, Run
from fakes import colour_table


def test_features_are_listed_verified_and_pruned(plait: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    table = colour_table(tmp_path, rows=40)
    code, _, error = plait("train", table, "-t", "answer", "-o", tmp_path / "run", "inputs.photo.frozen=true", *FAST)
    assert code == 0 and "40 values through the frozen encoder" in error.replace("\n", " ")
    code, out, _ = plait("features", "list", "--json")
    (store,) = json.loads(out)
    assert store["rows"] == 40 and store["encoder"] == "ResidualCNN"
    assert plait("features", "list")[0] == 0
    assert plait("features", "verify")[:2] == (0, f"{store['name']}: sound\n")
    rows = tmp_path / "cache" / "features" / store["name"] / "rows.bin"
    rows.write_bytes(rows.read_bytes()[:-1])
    assert plait("features", "verify")[:2] == (1, f"{store['name']}: 1 damaged rows\n")
    code, _, error = plait("features", "prune", "nosuch")
    assert code == 2 and "nosuch" in error
    assert plait("features", "prune")[2].startswith("removed 0 stores")
    assert "removed 1 stores" in plait("features", "prune", "--days", "0")[2]
    assert json.loads(plait("features", "list", "--json")[1]) == []
