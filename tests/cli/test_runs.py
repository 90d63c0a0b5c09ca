"""Train, check, evaluate and predict, as a user types them: what they write, and what they say when something is wrong."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import save_file

from cli.calls import FAST, Run, make_table, refused
from fakes import colour_table, picture


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table and a run folder."""
    folder = tmp_path_factory.mktemp("colours")
    table = colour_table(folder, rows=90)
    done = subprocess.run(
        [sys.executable, "-m", "plait", "train", table, "-t", "answer", "-o", folder / "run", "--test", "0.2", *FAST],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return table, folder / "run"


def test_a_run_folder_holds_what_it_should(trained: tuple[Path, Path]) -> None:
    _, run = trained
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert names >= {
        "recipe.yaml", "schema.json", "model.safetensors", "metrics.json", "log.jsonl", "predictions.parquet",
        "report.html", "checkpoints/last.safetensors", "checkpoints/best.safetensors", "processors/inputs.json",
    }  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) == {"val", "test", "baseline"} and 0 <= metrics["test"]["accuracy"] <= 1
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    assert recipe["train"]["precision"] == "float32" and "torch" in recipe["resolved"]["versions"]
    predictions = pd.read_parquet(run / "predictions.parquet")
    test = predictions[predictions.part == "test"]
    assert (test.answer == test.answer_true).mean() == pytest.approx(metrics["test"]["accuracy"])
    assert not [name for name in names if name.endswith(".tmp")]


def test_the_report_is_one_file_without_outside_links(trained: tuple[Path, Path]) -> None:
    page = (trained[1] / "report.html").read_text()
    for part in ("Scores", "Training", "Worst answers", "Best answers", "Recipe", "data:image/", "<svg", "peak memory"):
        assert part in page, part
    for outside in ("http://", "https://", "<script", "<link"):
        assert outside not in page.replace("http://www.w3.org", ""), outside


def test_the_resolved_recipe_trains_the_same_model_again(
    trained: tuple[Path, Path], tmp_path: Path, plait: Run
) -> None:
    _, run = trained
    code, _, error = plait("train", run / "recipe.yaml", "-o", tmp_path / "again", "-q")
    assert code == 0, error
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again == json.loads((run / "metrics.json").read_text())


def test_evaluate(trained: tuple[Path, Path], plait: Run) -> None:
    table, run = trained
    code, out, error = plait("evaluate", run, table, "--json")
    assert code == 0 and "accuracy" in json.loads(out), error
    assert plait("evaluate", run, table, "--metric", "roc_auc", "--json")[1].count(":") == 1
    assert "accuracy" in plait("evaluate", run, table)[2]
    refused(plait("evaluate", run, table, "--metric", "acuracy"), "did you mean 'accuracy'")


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_predict_writes_every_format(trained: tuple[Path, Path], tmp_path: Path, plait: Run, name: str) -> None:
    table, run = trained
    code, _, error = plait("predict", run, table, "-o", tmp_path / name, "--keep", "photo")
    assert code == 0, error
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "jsonl": lambda p: pd.read_json(p, lines=True)}
    frame = read[name.split(".")[1]](tmp_path / name)
    assert list(frame.columns) == ["row", "photo", "answer", "answer_probability", "answer_p_no", "answer_p_yes"]
    assert len(frame) == 90 and frame.row.tolist() == list(range(1, 91)) and frame.photo[0] == "photos/0.png"
    np.testing.assert_allclose(frame.answer_p_no + frame.answer_p_yes, 1, atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 1


def test_predict_without_a_file_prints_csv(trained: tuple[Path, Path], plait: Run) -> None:
    table, run = trained
    code, out, _ = plait("predict", run, table)
    assert code == 0 and len(out.strip().splitlines()) == 91
    code, out, _ = plait("predict", run, table, "--json")
    assert code == 0 and json.loads(out.splitlines()[0])["row"] == 1


def test_predict_one_row(trained: tuple[Path, Path], plait: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    table, run = trained
    monkeypatch.chdir(table.parent)
    code, out, error = plait("predict", run, "--set", "title=a red thing", "photo=photos/0.png", "price=3", "--json")
    assert code == 0 and json.loads(out)["answer"] in ("yes", "no"), error
    code, out, _ = plait("predict", run, "--set", "title=only a title")  # all else is missing
    assert code == 0 and out.startswith("answer\t")
    refused(plait("predict", run, "--set", "titel=x"), "unknown column 'titel'; did you mean 'title'")
    refused(plait("predict", run, "--set", "photo=none.png"), "none.png: there is no such file")
    refused(plait("predict", run, "--set", "title"), "expected COLUMN=VALUE")
    refused(plait("predict", run, "--set"), "no values given")


def test_predict_refuses_what_it_can_not_write_or_read(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    table, run = trained
    refused(plait("predict", run, table, "-o", tmp_path / "out.xlsx"), "unknown ending '.xlsx'", ".parquet")
    refused(plait("predict", run, table, "--keep", "foto"), "did you mean 'photo'")
    refused(plait("predict", run), "which rows?")
    refused(plait("predict", tmp_path, table), "expected a run folder")
    pd.DataFrame({"other": [1, 2]}).to_csv(tmp_path / "other.csv", index=False)
    refused(plait("predict", run, tmp_path / "other.csv"), "has none of the columns that the model reads")


def test_a_column_that_is_absent_when_predicting_is_missing(
    trained: tuple[Path, Path], tmp_path: Path, plait: Run
) -> None:
    table, run = trained
    frame = pd.read_csv(table).drop(columns=["photo", "answer"])
    frame.to_csv(tmp_path / "less.csv", index=False)
    code, out, error = plait("predict", run, tmp_path / "less.csv")
    assert code == 0 and len(out.splitlines()) == 91, error


def test_cells_that_can_not_be_used_are_refused_or_count_as_missing(trained: tuple[Path, Path], plait: Run) -> None:
    table, run = trained
    frame = pd.read_csv(table).head(8).astype({"price": object})
    frame.loc[2, "photo"], frame.loc[5, "price"] = "gone.png", "many"
    odd, empty = table.parent / "odd.csv", table.parent / "emptied.csv"
    frame.to_csv(odd, index=False)
    refused(plait("predict", run, odd), "row 3, column 'photo'", "there is no such file")
    code, out, error = plait("predict", run, odd, "--on-error", "missing")
    assert code == 0 and error.count("counted as missing") == 2 and "got 'many'" in error
    frame.loc[2, "photo"], frame.loc[5, "price"] = None, None
    frame.to_csv(empty, index=False)
    expected = plait("predict", run, empty)[1].splitlines()
    assert out.splitlines() == expected


def test_check_and_its_exit_code(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    table, _ = trained
    code, out, _ = plait("check", table, "-t", "answer", "--json")
    found = json.loads(out)
    assert code == 0 and found["ok"] and found["balance"]["answer"]["no"] > 0
    assert {c["name"]: c["modality"] for c in found["columns"]}["photo"] == "image"
    frame = pd.read_csv(table)
    frame.loc[4, "photo"] = "gone.png"
    frame.to_csv(table.parent / "broken.csv", index=False)
    code, _, error = plait("check", table.parent / "broken.csv", "-t", "answer")
    assert code == 1 and "row 5: " in error and "gone.png: there is no such file" in error


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"y": ["a"] * 20}, ["target 'y' is constant (always 'a', one class)"]),
        ({"y": [None] * 20}, ["target 'y' has no values"]),
        ({"y": ["a", "b"] * 9 + [None, "a"]}, ["row 19: the target y is empty (1 such row)", "--on-error skip"]),
        ({"photo": [f"none{i}.png" for i in range(20)]}, ["t.csv: row ", "column 'photo'", "there is no such file", "--on-error skip"]),
        ({"photo": [f"../x{i}.png" for i in range(20)]}, ["leaves the table's folder", "data.allow_outside=true"]),
        ({"split": ["train"] * 19 + ["other"]}, ["row 20, column 'split': expected train, val or test, got 'other'"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_table_get_one_line(tmp_path: Path, plait: Run, columns: dict, parts: list) -> None:
    table = make_table(tmp_path, **columns)
    more = ["--split", "split"] if "split" in columns else []
    refused(plait("train", table, "-t", "y", "-o", tmp_path / "run", *more), *parts)


def test_one_row_and_absent_tables(tmp_path: Path, plait: Run) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,a\n")
    refused(plait("train", tmp_path / "t.csv", "-t", "y"), "at least 2 rows, got 1")
    refused(plait("train", tmp_path / "none.csv", "-t", "y"), "no such file or folder")
    refused(plait("train", tmp_path / "none.yaml"), "no such file")
    refused(plait("check", tmp_path / "none.csv"), "no such file or folder")


def test_skipped_rows_are_counted_and_named(tmp_path: Path, plait: Run) -> None:
    table = colour_table(tmp_path, rows=40)
    frame = pd.read_csv(table)
    frame.loc[3, "photo"] = "gone.png"
    frame.loc[5, "answer"] = None
    (tmp_path / "photos" / "7.png").write_bytes(b"")
    frame.to_csv(table, index=False)
    run = tmp_path / "run"
    code, _, error = plait("train", table, "-t", "answer", "-o", run, "--on-error", "skip", *FAST)
    assert code == 0, error
    problems = [json.loads(line) for line in (run / "problems.jsonl").read_text().splitlines()]
    assert {problem["row"] for problem in problems} == {4, 6, 8}
    assert "rows with unusable cells are left out" in error


def test_labels_that_training_never_saw_are_said_and_not_scored(tmp_path: Path, plait: Run) -> None:
    table = make_table(tmp_path)
    pd.DataFrame({"title": ["the red one"] * 3, "y": ["a", "b", "new"]}).to_csv(tmp_path / "test.csv", index=False)
    run = tmp_path / "run"
    code, _, error = plait("train", table, "-t", "y", "--test", tmp_path / "test.csv", "-o", run, *FAST)
    assert code == 0 and "1 rows have a y that the model has no class for, such as 'new'" in error
    assert len(pd.read_parquet(run / "predictions.parquet").query("part == 'test'")) == 2


def test_a_group_on_both_sides_of_a_given_split_is_refused(tmp_path: Path, plait: Run) -> None:
    table = make_table(tmp_path, patient=[i % 7 for i in range(20)], split=["train"] * 14 + ["val"] * 6)
    result = plait("train", table, "-t", "y", "--split", "split", "--group", "patient", "-o", tmp_path / "run")
    refused(result, "of column 'patient' is in both train and val")


def test_a_folder_that_holds_a_run_or_can_not_be_written(
    trained: tuple[Path, Path], tmp_path: Path, plait: Run
) -> None:
    table, run = trained
    before = (run / "model.safetensors").read_bytes()
    refused(plait("train", table, "-t", "answer", "-o", run), "holds a run already", "--resume")
    assert (run / "model.safetensors").read_bytes() == before
    (tmp_path / "file").write_text("x")
    refused(plait("train", table, "-t", "answer", "-o", tmp_path / "file" / "run"), "can't be written")


def test_a_newer_or_damaged_run_is_refused(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    import shutil

    table, run = trained
    newer, cut, torn = (tmp_path / name for name in ("newer", "cut", "torn"))
    for copy in (newer, cut, torn):
        shutil.copytree(run, copy)
    recipe = newer / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("plait_format: 1", "plait_format: 99"))
    refused(plait("predict", newer, table), "written by a newer plait (format 99, this one reads 1); upgrade")
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    refused(plait("predict", cut, table), "model.safetensors: the weight file is damaged or truncated")
    (torn / "processors" / "targets.json").write_text('{"answer": ')
    refused(plait("predict", torn, table), "targets.json: not JSON")


def test_a_killed_run_resumes_and_an_interrupted_one_says_how(tmp_path: Path, plait: Run) -> None:
    table = colour_table(tmp_path, rows=60)
    run = tmp_path / "run"
    more = ["train.epochs=400", "train.device=cpu", "train.precision=float32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "plait", "train", table, "-t", "answer", "-o", run, *more],
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoint, deadline = run / "checkpoints" / "last.safetensors", time.monotonic() + 90
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and f"continue with: plait train --resume {run}" in error.strip().splitlines()[-1]
    refused(plait("evaluate", run, table), "the run is not finished", "--resume")
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 400", "epochs: 30"))
    code, _, error = plait("train", "--resume", run)
    assert code == 0, error
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = [(line["epoch"], line.get("step")) for line in log if "epoch" in line]
    assert len(steps) == len(set(steps)) and {epoch for epoch, step in steps if step is None} == set(range(1, 31))
    assert plait("evaluate", run, table)[0] == 0
    refused(plait("train", "--resume", run, "train.epochs=3"), "takes no overrides")


def test_image_folder_trains(tmp_path: Path, plait: Run) -> None:
    for split, count in (("train", 8), ("test", 3)):
        for colour in ("red", "blue"):
            for i in range(count):
                picture(tmp_path / "pictures" / split / colour / f"{i}.png", colour, seed=i)
    arguments = ["-t", "label", "--split", "split", "-o", tmp_path / "run", "train.epochs=6", "train.device=cpu"]
    code, _, error = plait("train", tmp_path / "pictures", *arguments)
    assert code == 0, error
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["accuracy"] == 1.0


def test_json_on_stdout_is_all_that_stands_there(tmp_path: Path, plait: Run) -> None:
    code, out, _ = plait("train", make_table(tmp_path), "-t", "y", "-o", tmp_path / "run", "--json", *FAST)
    assert code == 0 and set(json.loads(out)) == {"run", "val", "baseline"}


def test_a_full_disk_gets_one_line_and_keeps_what_was_there(tmp_path: Path, plait: Run, monkeypatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plait.training.checkpoint.save_file", full)
    refused(plait("train", make_table(tmp_path), "-t", "y", "-o", tmp_path / "run", *FAST), "No space left on device")
    assert not (tmp_path / "run").exists()  # nothing was learned yet
    monkeypatch.undo()
    saved = []

    def full_later(tensors: dict, path: Path, header: dict) -> None:
        if len(saved) == 3:
            full()
        saved.append(path)
        save_file(tensors, path, header)

    monkeypatch.setattr("plait.training.checkpoint.save_file", full_later)
    said = "free some space, then continue with: plait train --resume"
    refused(plait("train", make_table(tmp_path), "-t", "y", "-o", tmp_path / "run", *FAST, "train.epochs=3"), said)
    monkeypatch.undo()
    assert plait("train", "--resume", tmp_path / "run")[0] == 0
    monkeypatch.setattr("plait.data.table.pa.OSFile", full)
    refused(plait("check", tmp_path / "t.csv"), "no room to unpack the table", "TMPDIR")


def test_the_truth_can_be_kept_beside_the_answer(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    table, run = trained
    for name in ("o.parquet", "o.jsonl", "o.csv"):
        code, _, error = plait("predict", run, table, "-o", tmp_path / name, "--keep", "answer", "--keep", "answer")
        assert code == 0, error
    frame = pd.read_parquet(tmp_path / "o.parquet")
    assert list(frame.columns)[:3] == ["row", "answer_given", "answer"]
    assert frame.answer_given.tolist() == pd.read_csv(table).answer.tolist()


def test_an_inferred_input_is_changed_by_an_override(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    table, _ = trained
    more = ["inputs.title.encoder=scratch:bag", *FAST]
    code, _, error = plait("train", table, "-t", "answer", "-o", tmp_path / "run", *more)
    assert code == 0, error
    inputs = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["inputs"]
    assert set(inputs) == {"photo", "title", "price", "shade"}
    assert inputs["title"] == {"modality": "text", "encoder": "scratch:bag"}
    wrong = plait("train", table, "-t", "answer", "-o", tmp_path / "no", "inputs.title.encoder=scratch:bagg")
    refused(wrong, "did you mean 'scratch:bag'")
    refused(plait("train", table, "-t", "answer", "inputs.answer.encoder=scratch:bag"), "the column is ignored")


def test_a_mistake_leaves_no_folder_and_weights_are_readable(
    trained: tuple[Path, Path], tmp_path: Path, plait: Run
) -> None:
    table, run = trained
    refused(plait("train", table, "-t", "answr", "-o", tmp_path / "none"), "did you mean 'answer'")
    assert not (tmp_path / "none").exists()
    modes = {path.stat().st_mode & 0o777 for path in run.rglob("*") if path.is_file()}
    assert len(modes) == 1  # weights as readable as the recipe


def test_a_run_recipe_works_from_anywhere(trained: tuple[Path, Path], tmp_path: Path, plait: Run, monkeypatch) -> None:
    table, _ = trained
    monkeypatch.chdir(table.parent)
    assert plait("train", table.name, "-t", "answer", "-o", tmp_path / "one", *FAST)[0] == 0
    monkeypatch.chdir(tmp_path)
    code, _, error = plait("train", "one/recipe.yaml", "-o", "two", "-q")
    assert code == 0, error
    assert (tmp_path / "one" / "metrics.json").read_text() == (tmp_path / "two" / "metrics.json").read_text()


def test_columns_that_a_table_lacks_are_said(trained: tuple[Path, Path], tmp_path: Path, plait: Run) -> None:
    table, run = trained
    pd.read_csv(table)[["price"]].to_csv(tmp_path / "less.csv", index=False)
    assert "has no column photo, shade, title; it counts as missing" in plait("predict", run, tmp_path / "less.csv")[2]


def test_a_training_part_that_is_too_small_is_named(tmp_path: Path, plait: Run) -> None:
    table = make_table(tmp_path)
    refused(plait("train", table, "-t", "y", "--val", "0.95"), "keep more of the rows for training")


@pytest.mark.slow
def test_two_runs_at_once_get_two_folders(tmp_path: Path) -> None:
    table = colour_table(tmp_path, rows=60)
    command = [sys.executable, "-m", "plait", "train", table, "-t", "answer", *FAST]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    runs = sorted((tmp_path / "runs").iterdir())
    assert len(runs) == 2 and all((run / "model.safetensors").exists() for run in runs)


def test_a_run_that_is_being_trained_is_refused(trained: tuple[Path, Path], plait: Run) -> None:
    from plait.files.atomic import claimed

    _, run = trained
    with claimed(run):
        refused(plait("train", run, "--resume"), "another process works in this folder")
    (run / "report.html").unlink()
    assert plait("train", run, "--resume", "-q")[0] == 0 and (run / "report.html").exists()


@pytest.mark.parametrize("tracker", ["tensorbord", "wandb", "tensorboard"])
def test_a_tracker_that_is_not_there_leaves_no_folder(
    tmp_path: Path, plait: Run, tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tracker == "tensorboard":
        monkeypatch.setitem(sys.modules, "tensorboard", None)
    elif importlib.util.find_spec(tracker) is not None:
        pytest.skip(f"{tracker} is installed")
    words = {
        "tensorbord": "did you mean 'tensorboard'",
        "wandb": "pip install wandb",
        "tensorboard": "plait[tensorboard]",
    }
    command = ("train", make_table(tmp_path), "-t", "y", "-o", tmp_path / "run", *FAST)
    refused(plait(*command, f"train.trackers=[{tracker}]"), words[tracker])
    assert not (tmp_path / "run").exists()
    assert plait(*command)[0] == 0


@pytest.mark.parametrize("output", [None, "runs/one"])
def test_what_fails_before_there_are_weights_leaves_nothing(
    tmp_path: Path, plait: Run, monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    from plait.errors import DataError

    def fails(*_: object) -> None:
        raise DataError("row 3 is odd")

    monkeypatch.chdir(tmp_path)
    command = ("train", make_table(tmp_path), "-t", "y", *(() if output is None else ("-o", output)), *FAST)
    monkeypatch.setattr("plait.predictor.train_run", fails)
    refused(plait(*command), "row 3 is odd")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert plait(*command)[0] == 0 and len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_is_evaluated_a_run_says_what_is_there(
    tmp_path: Path, plait: Run, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run, whole = tmp_path / "run", "plait.runs.finish.write_predictions"
    true = importlib.import_module("plait.runs.finish").write_predictions
    monkeypatch.setattr(whole, lambda *_: signal.raise_signal(number))
    code, _, error = plait("train", make_table(tmp_path), "-t", "y", "-o", run, *FAST)
    last = error.strip().splitlines()[-1]
    assert code == 130 and f"{run}/model.safetensors is there" in last and f"plait train --resume {run}" in last
    monkeypatch.setattr(whole, true)
    assert plait("train", run, "--resume", "-q")[0] == 0 and (run / "report.html").exists()


def test_another_number_of_threads_is_said_on_resume(trained: tuple[Path, Path], plait: Run) -> None:
    import torch

    _, run = trained
    threads = torch.get_num_threads()
    began = yaml.safe_load((run / "recipe.yaml").read_text())["resolved"]["threads"]
    try:
        torch.set_num_threads(began)
        assert "threads" not in plait("train", run, "--resume", "-q")[2]
        torch.set_num_threads(began + 1)
        code, _, error = plait("train", run, "--resume", "-q")
    finally:
        torch.set_num_threads(threads)
    assert code == 0 and f"began with {began} threads and goes on with {began + 1}" in " ".join(error.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "5"], "--rows belongs to --modalities, --missing or --noise"),
        (["-o", "page.html"], "-o belongs to --shots or --modalities"),
        (["--top", "5"], "--top belongs to --rerank"),
        (["--template", "a {}"], "--template belongs to --shots"),
        (["--target", "answer"], "--target belongs to --shots"),
        (["--options", "title", "-o", "page.html"], "-o belongs to"),
        (["--modalities", "--metric", "accuracy"], "--metric is not read with --modalities"),
        (["--modalities", "--options", "title"], "--options and --modalities are different evaluations"),
        (["--predictions", "a.json", "--references", "b.json", "--rows", "3"], "--rows belongs to"),
    ],
)
def test_an_option_of_another_evaluation_is_refused(
    words: list[str], said: str, trained: tuple[Path, Path], plait: Run
) -> None:
    table, run = trained
    refused(plait("evaluate", run, table, *words), said)
