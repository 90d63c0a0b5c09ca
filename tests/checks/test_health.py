from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from plait.checks.health import check
from plait.data.schema import infer_schema
from plait.data.table import Table


def run(frame: pd.DataFrame, root: Path, train: int, targets: tuple[str, ...] = ("y",), group: str | None = None):
    table = Table.from_frame(frame, root)
    roles = dict.fromkeys(targets, "the target") | ({group: "the group"} if group else {})
    rows = np.arange(len(table))
    parts = {"train": (table, rows[:train]), "test": (table, rows[train:])}
    health = check(parts, infer_schema(table, None, roles), targets, group)
    return health, {finding.kind: finding for finding in health.findings}


def texts(count: int) -> list[str]:
    random = np.random.default_rng(0)
    words = [f"word{i}" for i in range(300)]
    return [" ".join(random.choice(words, 12)) for _ in range(count)]


def test_a_sound_table_has_no_findings(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": texts(40), "y": ["a", "b"] * 20})
    health, found = run(frame, tmp_path, 30)
    assert health.ok and not found and health.balance == {"y": {"a": 15, "b": 15}}
    assert health.rows == {"train": 30, "test": 10} and health.to_json()["ok"]


def test_a_class_that_no_training_row_has_is_named(tmp_path: Path) -> None:
    """Also where one table was split: such rows are not scored, and nothing else would say so."""
    _, found = run(pd.DataFrame({"t": texts(40), "y": ["a", "b"] * 15 + ["a", "c"] * 5}), tmp_path, 30)
    assert list(found) == ["unseen_class"] and found["unseen_class"].count == 1


@pytest.mark.parametrize(
    "cells",
    [["red;big", "big;red", "red;old"] * 12 + ["red"] * 4, ['[{"start": 1, "end": 2, "label": "hit"}]', "[]"] * 20],
)
def test_lists_of_labels_and_of_events_are_no_classes(cells: list[str], tmp_path: Path) -> None:
    health, found = run(pd.DataFrame({"t": texts(40), "y": cells}), tmp_path, 36)
    assert not health.balance and not found


def test_rows_on_both_sides_are_an_error(tmp_path: Path) -> None:
    lines = texts(40)
    lines[35] = lines[3]
    lines[36] = lines[4].replace("word", "Word") + "!"
    health, found = run(pd.DataFrame({"t": lines, "y": ["a", "b"] * 20}), tmp_path, 30)
    assert not health.ok and found["leak"].examples == ("test row 36 = train row 4",)
    assert found["duplicate"].count == 1 and found["near_duplicate"].count == 1


def test_groups_on_both_sides_are_an_error(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": texts(40), "y": ["a", "b"] * 20, "g": [i % 33 for i in range(40)]})
    health, found = run(frame, tmp_path, 33, group="g")
    assert not health.ok and found["group_straddles"].count == 7


@pytest.mark.parametrize(
    ("target", "kind"), [(["a"] * 40, "constant_target"), ([None, "a", "b", "a"] * 10, "missing_target")]
)
def test_targets_that_can_not_be_learned(tmp_path: Path, target: list, kind: str) -> None:
    health, found = run(pd.DataFrame({"t": texts(40), "y": target}), tmp_path, 30)
    assert not health.ok and kind in found


def test_rare_unbalanced_and_unseen_classes_are_warnings(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": texts(120), "y": ["common"] * 98 + ["rare"] * 2 + ["common"] * 19 + ["new"]})
    table, other = Table.from_frame(frame[:100]), Table.from_frame(frame[100:])
    parts = {"train": (table, np.arange(100)), "test": (other, np.arange(20))}
    health = check(parts, infer_schema(table, None, {"y": "the target"}), ["y"])
    assert health.ok and {finding.kind for finding in health.findings} >= {"rare_class", "unbalanced", "unseen_class"}


def test_pictures_absent_broken_huge_and_twice(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(12):
        blocks = random.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((48, 48), Image.BICUBIC).save(tmp_path / f"{i}.png")
    Image.open(tmp_path / "0.png").resize((96, 80)).save(tmp_path / "10.png")  # nearly the same as 0
    (tmp_path / "2.png").write_bytes(b"broken")
    (tmp_path / "3.png").unlink()
    Image.new("RGB", (6000, 10)).save(tmp_path / "4.png")
    names = [f"{i}.png" for i in range(12)]
    names[11] = "1.png"
    frame = pd.DataFrame({"photo": names, "y": ["a", "b"] * 6})
    health, found = run(frame, tmp_path, 8)
    assert not health.ok and found["unusable_picture"].count == 2
    assert "row 3: " in found["unusable_picture"].examples[0]
    assert found["huge_picture"].examples == ("row 5: 6000 px",)
    assert found["duplicate"].count == 1 and found["near_duplicate"].count == 1


def test_cells_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"price": ["1", "2", "many", "4"] * 10, "y": ["a", "b"] * 20})
    table = Table.from_frame(frame)
    schema = infer_schema(table, {"price": "number"}, {"y": "the target"})
    health = check({"train": (table, np.arange(40))}, schema, ["y"])
    assert not health.ok and health.findings[0].examples[0] == "train row 3: 'many'"


def test_a_cell_that_is_no_picture_is_not_taken_for_missing(folder: Path) -> None:
    table = Table(pa.table({"photo": [{"x": 1}]}), folder, "t")
    found = check({"train": (table, np.arange(1))}, infer_schema(table, {"photo": "image"}))
    assert "unusable_picture" in [finding.kind for finding in found.findings]
