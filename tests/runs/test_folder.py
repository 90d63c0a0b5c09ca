"""Run folders that a stranger made: loaded or refused in a line, and never trusted with more than the caller says."""

import json
import shutil
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from plait import Predictor
from plait.errors import DataError, PlaitError, RunError
from plait.runs.folder import RunFolder, claimed_folder

FILES = (
    "schema.json",
    "processors/inputs.json",
    "processors/targets.json",
    *(f"processors/{n}.json" for n in range(3)),
)
VALUES: list[Any] = [None, "evil", -1, [], {}, 10**30]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, images and numbers, in a folder of their own."""
    folder = tmp_path_factory.mktemp("table")
    rows = []
    for n in range(24):
        Image.new("RGB", (8, 8), ("red", "blue")[n % 2]).save(folder / f"{n}.png")
        rows.append({"title": f"some words {n}", "photo": f"{n}.png", "price": n / 2, "kind": "ab"[n % 2]})
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of classification, whose recipe lets media lie anywhere."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    inputs = {"title": {"encoder": "scratch:bag"}, "photo": {"size": 8, "widths": [4]}}
    Predictor(
        "kind",
        output=folder,
        inputs=inputs,
        fusion={"dim": 8},
        head={"hidden": 8},
        data={"allow_outside": True},
        train={"epochs": 1, "workers": 0, "device": "cpu", "precision": "float32"},
        verbose=False,
    ).fit(table)
    return folder


def test_a_run_never_brings_the_permission_to_leave_a_tables_folder(run: Path, table: Path, tmp_path: Path) -> None:
    assert RunFolder(run).read_recipe().data.allow_outside  # it says so, and nobody listens
    (tmp_path / "t.csv").write_text(f"title,photo,price\nsome words,{table.parent / '0.png'},3\n")
    with pytest.raises(DataError, match="leaves the table's folder"):
        Predictor.load(run).predict(tmp_path / "t.csv")
    assert len(Predictor.load(run, allow_outside=True).predict(tmp_path / "t.csv")) == 1


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places in nested lists and dicts; of many of one kind some."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [at, *(place for key, item in items[:4] for place in places(item, (*at, key)))]


@pytest.mark.parametrize("name", FILES)
def test_json_with_other_values_is_loaded_or_refused(name: str, run: Path, table: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "report.html")))
    text = (folder / name).read_text()
    chosen = [place for place in places(json.loads(text)) if place]
    rng = np.random.default_rng(0)
    for place in (chosen[i] for i in rng.permutation(len(chosen))[:12]):
        for value in (VALUES[i] for i in rng.permutation(len(VALUES))[:3]):
            held = inner = json.loads(text)
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            (folder / name).write_text(json.dumps(held))
            try:
                Predictor.load(folder, device="cpu").predict(table)
            except PlaitError as error:
                assert "\n" not in str(error), (place, value)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'"x"', b"[null]", b"\xe9", b"[" * 100_000, b"NaN"])
@pytest.mark.parametrize("name", ["recipe.yaml", *FILES[1:]])
def test_files_of_something_else_are_refused(name: str, content: bytes, run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "report.html")))
    (folder / name).write_bytes(content)
    with pytest.raises(PlaitError) as caught:
        Predictor.load(folder, device="cpu")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_recipes_and_weights_of_strangers(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html")))
    weights, recipe = (folder / "model.safetensors").read_bytes(), (folder / "recipe.yaml").read_text()
    size = struct.unpack("<Q", weights[:8])[0]
    header = json.loads(weights[8 : 8 + size])
    for said in ("[]", "5", "{", '{"version": "x"}', '{"version": 99}', "[" * 100_000):
        made = json.dumps({**header, "__metadata__": {"plait": said}}).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(made)) + made + weights[8 + size :])
        with pytest.raises(RunError, match=r"model\.safetensors"):
            Predictor.load(folder, device="cpu")
    for content in (b"", weights[:-1], b"\xff" * 8 + weights[8:], b"\x80\x04."):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(RunError, match=r"model\.safetensors"):
            Predictor.load(folder, device="cpu")
    (folder / "model.safetensors").write_bytes(weights)
    values = yaml.safe_load(recipe)
    for change in ({"plait_format": 10**30}, {"plait_format": []}, {"resolved": []}, {"task": 5}, {"inputs": {}}):
        (folder / "recipe.yaml").write_text(yaml.safe_dump({**values, **change}))
        with pytest.raises(PlaitError):
            Predictor.load(folder, device="cpu")


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
