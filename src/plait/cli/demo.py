"""The main job on real data: questions about images, which neither the question nor the image answers alone."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from plait import console, modalities
from plait.datasets import get_dataset
from plait.errors import DataError, RunError
from plait.files.atomic import claimed
from plait.modalities import Media, show_cell
from plait.predictor import Predictor
from plait.report import plots
from plait.report.page import SIDE, render, thumbnail
from plait.runs.folder import RunFolder

# Three models of the same table, through the public API: the same rows, seed, epochs and head.
QUESTION = {"modality": "text", "encoder": "scratch:transformer", "layers": 1, "dropout": 0.0}
IMAGE = {"modality": "image", "encoder": "scratch:cnn", "shift": 2}
MODELS: dict[str, dict[str, Any]] = {
    "question": {"question": QUESTION},
    "image": {"image": IMAGE},
    "both": {"image": IMAGE, "question": QUESTION},
}
TRAIN = {"learning_rate": 3e-3, "schedule": "onecycle", "batch_size": 77}  # about 8 images and all their questions


def run_demo(folder: Path, epochs: int = 6, seed: int = 0, verbose: bool = True) -> dict[str, float]:
    """Train the three models, write `demo.json` and `report.html`, and give their test accuracies.

    Raises:
        MissingExtra: the package `easy-vqa` is not installed.
        RunError: the folder can't be written, or holds something else.
    """
    start = time.monotonic()
    run = RunFolder(folder)
    with claimed(folder, lambda: any(folder.glob("*/recipe.yaml"))):
        train, test = get_dataset("easy-vqa", folder / "data")
        accuracy: dict[str, float] = {}
        rows = []
        # One model after the other, each in a run folder of its own, on the same rows.
        for name, inputs in MODELS.items():
            began = time.monotonic()
            _remove_run(folder / name)
            predictor = Predictor(
                "answer",
                output=folder / name,
                inputs=inputs,
                fusion="product",
                data={"val": 0.05, "group": "image"},
                train={**TRAIN, "epochs": epochs, "seed": seed},
                verbose=verbose,
            ).fit(train, test=test)
            accuracy[name] = predictor.metrics_["test"]["accuracy"]
            parameters = sum(parameter.numel() for parameter in predictor.model_.parameters())
            rows.append(
                {
                    "name": name,
                    "accuracy": accuracy[name],
                    "parameters": parameters,
                    "seconds": time.monotonic() - began,
                }
            )
        seconds = time.monotonic() - start
        run.write_json("demo.json", accuracy)
        run.write_text("report.html", _page(rows, seconds, run))
    if verbose:
        _show(rows, seconds, folder)
    return accuracy


def _remove_run(folder: Path) -> None:
    """Remove the demo's own earlier run, and nothing that is none.

    Raises:
        RunError: the folder is somebody else's.
    """
    if (folder / "recipe.yaml").exists():
        shutil.rmtree(folder)
    elif folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder}: holds something that is no run; choose another folder with -o")


def _show(rows: list[dict[str, Any]], seconds: float, folder: Path) -> None:
    cells = [(LABELS[r["name"]], f"{r['accuracy']:.3f}", f"{r['parameters']:,}", f"{r['seconds']:.0f} s") for r in rows]
    columns = ["the model sees", "test accuracy", "parameters", "time"]
    console.say("")
    console.show(console.table("", columns, cells, columns[1:]))
    console.say(f"\n{VERDICT}\n{seconds:.0f} s in all; {folder / 'report.html'}")


LABELS = {"question": "the question", "image": "the image", "both": "both, multiplied"}
VERDICT = "Neither the question nor the image can answer alone; together they can."


def _page(rows: list[dict[str, Any]], seconds: float, run: RunFolder) -> str:
    cards = []
    # Some questions of the test table, evenly spaced, each with what the three models answered.
    try:
        questions = pd.read_csv(run.path / "data" / "test.csv").iloc[::1210]
    except OSError as error:
        raise DataError(f"{run.path}: the demo's table is gone ({error.strerror})") from error
    answers: Mapping[str, Any] = {
        name: pd.read_parquet(run.path / name / "predictions.parquet")
        .query("part == 'test'")
        .set_index("row")["answer"]
        for name in MODELS
    }
    for place, row in zip(questions.index, questions.itertuples(), strict=True):
        answer_of = {name: answers[name].loc[place + 1] for name in MODELS}
        verdicts = [(LABELS[name], answer, answer == row.answer) for name, answer in answer_of.items()]
        image = show_cell(modalities.IMAGE, str(row.image), Media(run.path / "data"), SIDE)[0]
        cards.append({"picture": thumbnail(image), "row": row, "given": verdicts})
    bars = plots.bars({LABELS[row["name"]]: row["accuracy"] for row in rows}, "accuracy on 9,673 test questions")
    return render(
        "demo.html",
        title="plait demo: questions about images",
        rows=rows,
        labels=LABELS,
        verdict=VERDICT,
        bars=bars,
        cards=cards,
        seconds=seconds,
    )
