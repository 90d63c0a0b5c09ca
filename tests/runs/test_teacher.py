"""A student learns what its teacher says."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax, softmax

from plait.errors import PlaitError, RecipeError, RunError
from plait.layers.spaces import Binary, Categorical, Real
from plait.predictor import Predictor
from plait.runs.teacher import Teacher
from plait.training.settings import TrainSettings

FAST = {"epochs": 12, "batch_size": 8, "learning_rate": 0.01, "precision": "float32", "evaluate_every": 12}


def table(rows: int = 48) -> pd.DataFrame:
    """`code` says the colour; `hint` does not, but for training rows the teacher has read `code`."""
    colours = ["red", "green", "blue"]
    return pd.DataFrame(
        {
            "code": [f"word{n % 3}" for n in range(rows)],
            "hint": [f"sign{n % 3} {n}" for n in range(rows)],
            "colour": [colours[n % 3] for n in range(rows)],
            "text": [f"a {colours[n % 3]} thing" for n in range(rows)],
            "number": [float(n % 3) + 0.1 * (n % 2) for n in range(rows)],
        }
    )


def fitted(folder: Path, target: str, column: str, **options: Any) -> Predictor:
    train = {**FAST, **options.pop("train", {})}
    return Predictor(
        target,
        output=folder,
        inputs={column: {"modality": "text", "encoder": "scratch:bag"}},
        data={"val": 0.25},
        train=train,
        verbose=False,
        **options,
    ).fit(table())


def test_distance_is_the_divergence_of_probabilities() -> None:
    random = np.random.default_rng(0)
    given, wanted = random.normal(size=(5, 4)), random.normal(size=(5, 4))
    share = softmax(wanted / 3, axis=1)
    expected = 9 * (share * (log_softmax(wanted / 3, axis=1) - log_softmax(given / 3, axis=1))).sum(axis=1).mean()
    found = Categorical(4).distance(torch.tensor(given), torch.tensor(wanted), 3.0).mean()
    assert float(found) == pytest.approx(expected, rel=1e-5)
    same = Binary(4).distance(torch.tensor(wanted), torch.tensor(wanted), 2.0)
    assert same.tolist() == pytest.approx([0] * 5, abs=1e-6)
    p, q = 1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(1.0))
    two = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert float(Binary(1).distance(torch.tensor([[-1.0]]), torch.tensor([[1.0]]), 1.0)) == pytest.approx(two, rel=1e-5)
    assert float(Real().distance(torch.tensor([[3.0]]), torch.tensor([[1.0]]), 2.0)) == 4


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("colour", {}),
        pytest.param(
            "text",
            {"task": {"type": "generation", "max_length": 8}, "generation": {"max_length": 8}},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_student_agrees_with_a_teacher_that_reads_another_column(
    target: str, options: dict[str, Any], tmp_path: Path
) -> None:
    if target == "text":
        options = {**options, "decoder": {"method": "transformer", "dim": 32, "layers": 1, "heads": 2}}
    long = {"epochs": 100, "evaluate_every": 100} if target == "text" else {}
    teacher = fitted(tmp_path / "teacher", target, "code", train=long, **options)
    taught = {**long, "teacher": str(tmp_path / "teacher"), "distillation": 1.0}
    student = fitted(tmp_path / "student", target, "hint", train=taught, **options)
    assert student.recipe_.train.teacher == str(tmp_path / "teacher")
    frame = table()
    assert (student.predict(frame) == teacher.predict(frame)).mean() > 0.9


def test_the_loss_is_the_teachers_share(tmp_path: Path) -> None:
    made = fitted(tmp_path / "teacher", "number", "code")
    from plait.data.readers import open_table
    from plait.runs.tables import make_source

    opened, rows = open_table(table()), np.arange(8)
    teacher = Teacher(tmp_path / "teacher", opened, made.targets_, 2.0, rows, torch.device("cpu"))
    batch = make_source(made.recipe_, opened, made.inputs_, made.targets_).batch(rows)
    said = teacher(batch)
    assert float(teacher.loss(said, batch)) == 0
    moved = {name: values + 2 for name, values in said.items()}
    assert float(teacher.loss(moved, batch)) == pytest.approx(4)


def test_teachers_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a run folder"):
        fitted(tmp_path / "none", "colour", "hint", train={"teacher": str(tmp_path / "nowhere")})
    fitted(tmp_path / "teacher", "colour", "code", train={"epochs": 1})
    with pytest.raises(RecipeError, match=r"it answers colour \(classification\), not number \(regression\)"):
        fitted(tmp_path / "other", "number", "hint", train={"teacher": str(tmp_path / "teacher")})
    few = table().query("colour != 'blue'").reset_index(drop=True)
    with pytest.raises(RecipeError, match="its colour has other classes"):
        Predictor(
            "colour",
            output=tmp_path / "few",
            inputs={"hint": {"modality": "text", "encoder": "scratch:bag"}},
            train={**FAST, "teacher": str(tmp_path / "teacher")},
            verbose=False,
        ).fit(few)
    with pytest.raises((PlaitError, ValueError), match="use one after the other"):
        TrainSettings(teacher="runs/a", self_critical=0.5)
