"""Files that are whole or absent, and folders that one process has to itself."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plait.errors import RunError
from plait.files.atomic import LOCK, claimed, replacing, unwritable, why, write_json, write_text
from plait.runs.folder import claimed_folder


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    full = r"a\.txt: can't be written \(No space left on device\); free some space"
    with pytest.raises(RunError, match=full), replacing(path) as beside:
        beside.write_text("half")
        raise OSError(28, "No space left on device")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_names_that_no_file_can_have_are_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="can't be written"), claimed(tmp_path / name):
        pass
    with pytest.raises(RunError, match="can't be written"):
        write_text(tmp_path / name, "x")
    with pytest.raises(RunError, match="can't be written"), claimed_folder(tmp_path / name, ""):
        pass
    assert list(tmp_path.iterdir()) == []


def test_half_a_character_is_written_and_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "x\udc80é"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "x\udc80é"}


@pytest.mark.parametrize(
    ("error", "reason", "advice"),
    [
        (OSError(28, "No space left on device"), "No space left on device", "free some space"),
        (PermissionError(13, "Permission denied"), "Permission denied", "choose another folder"),
        (OSError(5, "Input/output error"), "Input/output error", None),
        (RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), x.rs"), "No space", "free"),
        (RuntimeError("Append with different schema: `price` vs `cost`"), "Append with different schema", None),
    ],
)
def test_only_a_full_disk_is_called_full(error: Exception, reason: str, advice: str | None) -> None:
    said = str(unwritable(Path("x"), error))
    assert reason in said and (advice in said if advice else "space" not in said and "choose" not in said)
    assert why(error)[0] in said


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = dead_process()
    (tmp_path / "inner").mkdir()
    names = {
        f".model.safetensors.{dead}.tmp": False,
        f"inner/.last.safetensors.{dead}.tmp": False,
        f".of-this-number.{os.getpid()}.tmp": False,  # of an earlier process: nothing of ours is written yet
        f".running.{os.getppid()}.tmp": True,
        f".old.{os.getppid()}.tmp": False,
        f"mine.{dead}.tmp": True,
        ".hidden": True,
    }
    for name in names:
        (tmp_path / name).write_text("x")
    before = time.time() - 7200
    os.utime(tmp_path / f".old.{os.getppid()}.tmp", (before, before))
    with claimed(tmp_path):  # nobody knows yet whose folder this is
        assert all((tmp_path / name).exists() for name in names)
    with claimed(tmp_path):
        pass
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_writing_a_file_removes_only_its_own_strays(tmp_path: Path) -> None:
    dead = dead_process()
    for name in ("a.csv", "b.csv"):
        (tmp_path / f".{name}.{dead}.tmp").write_text("x")
    write_text(tmp_path / "a.csv", "a")  # in a folder of the user's
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".b.csv.{dead}.tmp", "a.csv"]


def test_one_process_has_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    code = (
        "import sys, pathlib; from plait.files.atomic import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "mine\n"
    with pytest.raises(RunError, match="another process works in this folder"), claimed(folder):
        pass
    told: list[str] = []

    def let_go(said: str) -> None:
        told.append(said)
        other.kill()  # a lock ends with its process

    with claimed(folder, waiting=let_go):
        assert "waiting for another process" in told[0]
    other.wait()


@pytest.mark.parametrize("kept", [False, True])
def test_what_a_failure_made_is_removed_where_nothing_of_it_is_worth_keeping(tmp_path: Path, kept: bool) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "theirs.txt").write_text("x")
    for folder in (tmp_path / "new" / "deep", held):
        with pytest.raises(KeyError), claimed(folder, lambda: kept):
            (folder / "inner").mkdir()
            (folder / "inner" / "file").write_text("x")
            raise KeyError
    assert (held / "theirs.txt").exists() and (held / "inner").exists() == kept
    assert (tmp_path / "new").exists() == kept and (held / LOCK).exists() == kept
