"""`plait datasets`."""

import json
from pathlib import Path

from cli.calls import Run, refused
from plait.datasets import DATASETS


def test_they_are_listed_with_their_licences(plait: Run) -> None:
    code, out, _ = plait("datasets", "list", "--json")
    found = json.loads(out)
    assert code == 0 and [one["name"] for one in found] == list(DATASETS)
    assert all(one["licence"] and one["rows"] and one["package"] for one in found)
    shown = plait("datasets", "list")[2]
    assert all(name in shown for name in DATASETS)


def test_one_that_nobody_knows_is_refused(plait: Run, tmp_path: Path) -> None:
    name = next(iter(DATASETS))
    refused(plait("datasets", "get", name + "x", "-o", tmp_path / "d"), f"did you mean {name!r}")
    assert not (tmp_path / "d").exists()
