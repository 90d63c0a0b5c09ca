"""Stamps with captions become rows."""

from pathlib import Path

import pandas as pd

from fakes import picture
from plait.data.readers import open_table
from plait.datasets.tuxpaint import write_tuxpaint


def test_stamps_with_captions_become_rows(tmp_path: Path) -> None:
    stamps = tmp_path / "stamps"
    for name, text in (
        ("animals/birds/toucan", "A toucan.\nfr.utf8=Un toucan.\n"),
        ("animals/birds/toucan_mirror", "A toucan."),
        ("food/pear", "A green pear, \u201cripe\u201d.\n"),
        ("food/nameless", ""),
    ):
        picture(stamps / f"{name}.png", "red")
        (stamps / f"{name}.txt").write_text(text, encoding="utf-8")
    picture(stamps / "space" / "moon.png", "blue")  # no caption at all
    (table,) = write_tuxpaint(tmp_path / "out", stamps)
    frame = pd.read_csv(table)
    assert frame["caption"].tolist() == ["A toucan.", "A green pear, \u201cripe\u201d."]
    assert frame["kind"].tolist() == ["animals", "food"] and frame["group"][0] == "animals/birds"
    assert all((tmp_path / "out" / name).exists() for name in frame["picture"])
    assert open_table(table).columns == ["picture", "caption", "kind", "group"]
