"""Parts of somebody's own: the code of docs/extending.md, from a module, as classes and objects, and by entry points."""

import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from fakes import colour_table
from plait import Predictor
from plait.build import plugins
from plait.cli import app
from plait.compare.session import compare
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import PlaitError, RunError
from plait.evaluation.noise import chosen_noises
from plait.recipe import Recipe

PAGE = (Path(__file__).parent.parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")
TRAIN = {"epochs": 25, "batch_size": 16, "learning_rate": 0.01, "precision": "float32", "device": "cpu"}
CUBES = {"epochs": 1, "precision": "float32", "device": "cpu"}


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's module, importable; what is loaded in a test is gone after it."""
    blocks = [b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Predictor(" not in b]
    name = f"parts_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(str(tmp_path))
    held = {kind: dict(found) for kind, found in plugins.PARTS.items()}
    loaded = dict(plugins._LOADED)
    yield importlib.import_module(name)
    for kind, found in held.items():
        plugins.PARTS[kind].clear()
        plugins.PARTS[kind].update(found)
    plugins._LOADED.clear()
    plugins._LOADED.update(loaded)
    sys.modules.pop(name, None)


def shop(folder: Path, rows: int = 80, seed: int = 0) -> Path:
    """`code` is a colour, all different; `kind` is warm where red is stronger than blue."""
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (rows, 3))
    words = np.where(rgb[:, 0] > rgb[:, 2], "warm", "cold")
    frame = pd.DataFrame(
        {
            "code": [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in rgb],
            "price": random.normal(size=rows).round(3),
            "name": [f"paint number {n} that is {word}" for n, word in enumerate(words)],
            "kind": words,
        }
    )
    path = folder / f"shop{seed}.csv"
    frame.to_csv(path, index=False)
    return path


def run(*words: Any) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_modality_of_ones_own_goes_all_the_way(parts: ModuleType, tmp_path: Path) -> None:
    path, plugin = shop(tmp_path), ("--plugin", parts.__name__)
    without = infer_schema(Table.from_frame(pd.read_csv(path)))
    assert without["code"].reason == "its values are unique ids"
    out = run("check", path, "--target", "kind", "--json", *plugin)
    assert '"modality": "colour"' in out and "its cells are colours" in out

    bad = pd.read_csv(path)
    bad.loc[3, "code"] = "#red"
    bad.to_csv(tmp_path / "bad.csv", index=False)
    done = CliRunner().invoke(app, ["check", str(tmp_path / "bad.csv"), "--type", "code=colour", *plugin])
    assert done.exit_code == 1 and "1 colours of train can't be used" in done.output.replace("\n", " ")

    folder = tmp_path / "run"
    settings = [f"train.{name}={value}" for name, value in TRAIN.items()]
    run("train", path, *settings, "--target", "kind", "--type", "name=ignore", "-o", folder, "-q", *plugin)
    assert Recipe.read(folder / "recipe.yaml").plugins == [parts.__name__]
    page = (folder / "report.html").read_text()
    assert page.count("data:image/") >= 8  # swatches beside answers
    other = shop(tmp_path, seed=1)
    answers = tmp_path / "answers.csv"
    run("predict", folder, other, "-o", answers, *plugin)
    assert (pd.read_csv(answers)["kind"] == pd.read_csv(other)["kind"]).mean() > 0.9
    assert "fade" in run("evaluate", folder, other, "--modalities", "--noise", "all", *plugin)
    assert [noise for _, noise, _ in chosen_noises(["all"], {"code": "colour"})] == ["fade"]


def test_a_run_says_which_plugin_it_needs_and_imports_none(parts: ModuleType, tmp_path: Path) -> None:
    path, folder = shop(tmp_path), tmp_path / "run"
    options: dict[str, Any] = {"types": {"name": "ignore"}, "train": CUBES, "verbose": False}
    fitted = Predictor("kind", plugins=[parts], output=folder, fusion="loudest", **options).fit(path)
    code = f"import sys; from plait import Predictor; Predictor.load({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"name them: --plugin {parts.__name__}" in done.stderr
    assert f"{parts.__name__}.py" not in done.stderr
    code = f"""
import sys
from plait import Predictor
print(*Predictor.load({str(folder)!r}, plugins=[{parts.__name__!r}]).predict({str(path)!r}))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == fitted.predict(path).tolist()
    plugins._LOADED.pop(parts.__name__)
    with pytest.raises(RunError, match=f"needs parts of somebody's own, {parts.__name__}"):
        Predictor.from_recipe(folder / "recipe.yaml")
    stranger = tmp_path / "stranger"  # a run folder without what says so in its recipe
    stranger.mkdir()
    (stranger / "recipe.yaml").write_text(f"plugins: [{parts.__name__}]\n")
    (stranger / "model.safetensors").touch()
    with pytest.raises(RunError, match="needs parts of somebody's own"):
        Predictor.from_recipe(stranger / "recipe.yaml")
    (tmp_path / "own.yaml").write_text(f"plugins: [{parts.__name__}]\ndata: {{train: {path}}}\n")
    assert Predictor.from_recipe(tmp_path / "own.yaml").asked()[0].plugins == [parts.__name__]  # a person wrote it


@pytest.mark.slow
def test_a_comparison_takes_it_to_its_processes(parts: ModuleType, tmp_path: Path) -> None:
    recipe = Recipe.parse(
        {
            "plugins": [parts.__name__],
            "data": {"types": {"name": "ignore"}},
            "task": [{"target": "kind"}],
            "train": {**TRAIN, "epochs": 10},
        }
    )
    options: dict[str, Any] = {"fusions": ["concat", "loudest"], "folds": 2, "verbose": False, "seeds": 2}
    found = compare(recipe, shop(tmp_path), output=tmp_path / "two", processes=2, **options)
    scores = {row.name: row.score for row in found.rows}
    assert scores["code"] > 0.85 > scores["tabular"] and scores["loudest"] > 0.7
    assert not any(row.failed for row in found.rows)


def test_the_search_page_shows_it(parts: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("lancedb")
    testclient = pytest.importorskip("fastapi.testclient")
    from plait.search.indexing import index_table
    from plait.search.searcher import Searcher
    from plait.serving.search_app import make_app

    options: dict[str, Any] = {"output": tmp_path / "pairs", "verbose": False, "plugins": [parts]}
    inputs = {"code": {"modality": "colour"}, "name": {"modality": "text", "encoder": "scratch:bag"}}
    path = shop(tmp_path)
    Predictor(task={"type": "retrieval"}, inputs=inputs, train=CUBES, **options).fit(path)
    index_table(tmp_path / "pairs", path, tmp_path / "shop.lance", side="code", verbose=False)
    client = testclient.TestClient(make_app(Searcher(tmp_path / "shop.lance")), base_url="http://127.0.0.1:8000")
    hits = client.post("/api/search", json={"text": "paint that is warm", "k": 3}).json()["hits"]
    assert len(hits) == 3 and hits[0]["row"]["code"].startswith("#")
    swatch = client.get(f"/thumbnails/{hits[0]['id']}")
    assert swatch.status_code == 200 and swatch.content[:2] == b"\xff\xd8"


def test_classes_and_objects_of_python(parts: ModuleType, tmp_path: Path) -> None:
    table = colour_table(tmp_path, rows=24)
    options: dict[str, Any] = {"train": CUBES, "verbose": False, "types": {"title": "ignore"}}
    inputs = {"photo": {"encoder": parts.Colours, "dim": 8}}
    made = Predictor("answer", fusion={"method": parts.Loudest, "dropout": 0.1}, inputs=inputs, **options)
    fitted = made.fit(table)
    assert type(fitted.model_.fusion) is parts.Loudest and fitted.model_.fusion.dropout.p == 0.1
    assert type(fitted.model_.encoders["photo"]) is parts.Colours
    folder = fitted.save(tmp_path / "saved")
    needed = [f"{parts.__name__}:Colours", f"{parts.__name__}:Loudest"]
    assert Recipe.read(folder / "recipe.yaml").plugins == needed
    plugins._LOADED.clear()
    with pytest.raises(RunError, match=f"--plugin {needed[0]} --plugin {needed[1]}"):
        Predictor.load(folder)
    for given in (needed, [parts.Colours, parts.Loudest]):
        plugins._LOADED.clear()
        torch.testing.assert_close(Predictor.load(folder, plugins=given).embed(table), fitted.embed(table))

    module = parts.Loudest({"photo": 8, "tabular": 64}, 256)
    with pytest.raises(PlaitError, match="fusion.dim is 256"):
        wrong = parts.Loudest({"photo": 8, "tabular": 64}, 64)
        Predictor("answer", fusion=wrong, inputs=inputs, **options).fit(table)
    with pytest.raises(PlaitError, match="it does not take {'photo': 64, 'tabular': 64}"):
        Predictor("answer", fusion=module, inputs={"photo": {"encoder": parts.Colours, "dim": 64}}, **options).fit(
            table
        )
    fitted = Predictor("answer", fusion=module, inputs=inputs, **options).fit(table)
    assert fitted.model_.fusion is not module and fitted.recipe_.fusion.method.endswith(":Loudest@fusion")
    folder = fitted.save(tmp_path / "of an object")
    plugins._LOADED.clear()
    with pytest.raises(RunError, match="in Python: plugins={'fusion': …}"):
        Predictor.load(folder)
    again = Predictor.load(folder, plugins={"fusion": module, "photo": parts.Colours})
    torch.testing.assert_close(again.embed(table), fitted.embed(table))


def test_a_task_of_ones_own_goes_all_the_way(parts: ModuleType, tmp_path: Path) -> None:
    path = shop(tmp_path, rows=120)
    frame = pd.read_csv(path)
    red = frame["code"].str[1:3].map(lambda two: int(two, 16))
    frame["stars"] = 1 + red // 64  # four levels, by how red it is
    frame.to_csv(path, index=False)
    plugin, folder = ("--plugin", parts.__name__), tmp_path / "run"
    settings = [f"train.{name}={value}" for name, value in {**TRAIN, "epochs": 60}.items()]
    asked = ("--target", "stars", "--task", "ordinal", "--type", "name=ignore", "--type", "kind=ignore")
    run("train", path, *asked, *settings, "task.most=5", "-o", folder, "-q", *plugin)
    assert "ordinal" in (folder / "processors" / "targets.json").read_text()
    loaded = Predictor.load(folder)
    scores = loaded.evaluate(frame)
    answers = np.asarray(loaded.predict(frame))
    assert scores["exact"] == pytest.approx((answers == frame["stars"]).mean()) and scores["exact"] > 0.7
    assert scores["mae"] == pytest.approx(np.abs(answers - frame["stars"]).mean())
    assert loaded.modalities(frame).metric == "mae" and "Worst answers" in (folder / "report.html").read_text()

    done = CliRunner().invoke(app, [str(word) for word in ("train", path, *asked, "task.most=2", *plugin)])
    assert "expected 2 to 2 levels, got 4" in str(done.exception)
    done = CliRunner().invoke(app, [str(word) for word in ("train", path, *asked, "task.mosst=2", *plugin)])
    assert "unknown key 'task.mosst'; did you mean 'most'" in str(done.exception)

    values = {"data": {"types": {"name": "ignore", "kind": "ignore"}}, "task": [{"target": "stars", "type": "ordinal"}]}
    recipe = Recipe.parse({**values, "plugins": [parts.__name__], "train": {**TRAIN, "epochs": 20}})
    options: dict[str, Any] = {"fusions": ["concat", "late_mean"], "folds": 2, "verbose": False, "processes": 1}
    found = compare(recipe, path, output=tmp_path / "two", **options)
    rows = {row.name: row for row in found.rows}
    assert found.metric == "mae" and not found.higher_is_better and rows["code"].score < rows["tabular"].score
    assert "are no distribution" in rows["late_mean"].failed


def test_mistakes_are_one_line(parts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty_part.py").write_text("X = 1\n")
    (tmp_path / "broken_part.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "taken_part.py").write_text("FUSIONS = {'concat': int}\n")
    for name, message in (
        ("empty_part", "expected dicts such as FUSIONS"),
        ("broken_part", "can't be imported .ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("taken_part", "FUSIONS has 'concat' already"),
        ("no_such_part", "can't be imported"),
        (f"{parts.__name__}:Nothing", "has no Nothing"),
    ):
        with pytest.raises(PlaitError, match=message):
            plugins.load(name)
    with pytest.raises(PlaitError, match="expected a name, a class or an nn.Module, got 3"):
        Predictor("y", fusion={"method": 3})
    with pytest.raises(PlaitError, match="expected a class with one of"):
        plugins.load(int)


def test_installed_packages_offer_theirs(parts: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("loudest", f"{parts.__name__}:Loudest", "plait.fusions")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry] if group == "plait.fusions" else [])
    plugins.load_installed.cache_clear()
    plugins.load_installed()
    plugins.load_installed.cache_clear()
    assert plugins.PARTS["FUSIONS"]["loudest"] is parts.Loudest
    assert plugins.needed(Recipe.parse({"fusion": "loudest"} | {"fusion": {"method": "loudest"}}))
