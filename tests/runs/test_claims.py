"""How a run's folder is had, and what its log keeps when it goes on."""

import json
import threading
from pathlib import Path

import pytest

from plait.errors import RunError
from plait.runs.folder import RunFolder, claimed_folder


def test_two_that_begin_at_once_get_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names, together = [], threading.Barrier(4)

    def begin() -> None:
        together.wait()
        with claimed_folder(None, "t-kind") as run:
            run.write_text("recipe.yaml", "")
            names.append(run.path.name)
            together.wait()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"t-kind-{n}" for n in (1, 2, 3, 4)]


def test_a_folder_is_named_after_any_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with claimed_folder(None, "t-" + "km/h" * 100) as run:
        assert run.path.is_dir() and run.path.parent.name == "runs"


@pytest.mark.parametrize(
    ("file", "goes_on", "said"),
    [
        ("recipe.yaml", "", "holds a run already; continue it with --resume, or choose another"),
        ("recipe.yaml", "run", None),
        ("recipe.yaml", "comparison", "holds a run already"),
        ("state.json", "comparison", None),
        ("state.json", "", "holds a comparison already"),
        ("catalogue.json", "", "holds an index already"),
        ("notes.txt", "", None),
    ],
)
def test_a_folder_that_holds_something_of_plait_is_refused(
    tmp_path: Path, file: str, goes_on: str, said: str | None
) -> None:
    (tmp_path / file).write_text("")
    if said is None:
        with claimed_folder(tmp_path, "", goes_on=goes_on):
            pass
    else:
        with pytest.raises(RunError, match=said), claimed_folder(tmp_path, "", goes_on=goes_on):
            pass
        assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ("done", "kept"),
    [((0, 0), 0), ((0, 21), 2), ((1, 0), 4), ((1, 1), 5), ((1, 40), 6), ((2, 0), 8), ((9, 0), 8)],
)
def test_a_log_is_cut_at_the_checkpoint(tmp_path: Path, done: tuple[int, int], kept: int) -> None:
    run = RunFolder(tmp_path)
    lines = [
        {"epoch": 1, "step": 1, "loss": 1},
        {"epoch": 1, "step": 21, "loss": 1},
        {"samples": []},
        {"epoch": 1, "loss": 1, "val": {}},
        {"epoch": 2, "step": 1, "loss": 1},
        {"epoch": 2, "step": 21, "loss": 1},
        {"samples": []},
        {"epoch": 2, "loss": 1},
    ]
    for line in lines:
        run.append_log(line)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"epoch": 3, "st')  # a kill left half of it
    run.trim_log(*done)
    assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == lines[:kept]
