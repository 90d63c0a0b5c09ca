"""`plait generate`, and result files scored without a model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fakes import colour_table, fitted, frame
from plait.cli import app
from plait.errors import DataError, RecipeError
from plait.inference.generate import Writer, evaluate_ranked
from plait.predictor import Predictor


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers yes or no about a photo and a title, untrained but for an epoch."""
    folder = tmp_path_factory.mktemp("writing")
    table = colour_table(folder, 40)
    frame = pd.read_csv(table)[["photo", "title", "answer"]]
    frame.to_csv(table, index=False)
    Predictor(
        "answer",
        output=folder / "run",
        task={"type": "generation", "max_length": 8},
        decoder={"dim": 16, "layers": 1, "heads": 2, "vocab_size": 300},
        generation={"max_length": 4},
        fusion={"dim": 16},
        train={"epochs": 2, "precision": "float32", "device": "cpu"},
        verbose=False,
    ).fit(table)
    return folder / "run"


def invoke(*arguments: Any, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


def test_one_answer_streams(run: Path) -> None:
    photo = run.parent / "photos" / "0.png"
    done = invoke("generate", run, "--image", photo, "--question", "an image of a red thing")
    assert done.exit_code == 0, done.output
    asked = {"photo": str(photo), "title": "an image of a red thing"}
    pieces: list[str] = []
    writer = Writer(Predictor.load(run))
    text = writer.write(asked, pieces.append)[0][0]
    assert "".join(pieces) == text == done.stdout.strip()
    assert writer.inputs == {"photo": "image", "title": "text"}


def test_best_texts_choices_and_json(run: Path) -> None:
    photo = run.parent / "photos" / "0.png"
    done = invoke("generate", run, "--image", photo, "--best", 2, "--choices", "yes,no,no", "--json")
    found = json.loads(done.stdout)
    assert sorted(one["text"] for one in found) == ["no", "yes"] and found[0]["score"] >= found[1]["score"]
    drawn = [invoke("generate", run, "--image", photo, "--temperature", 1, "--seed", s).stdout for s in (1, 1)]
    assert drawn[0] == drawn[1]


def test_a_table_and_a_chat(run: Path, tmp_path: Path) -> None:
    table = run.parent / "table.csv"
    done = invoke("generate", run, "--table", table, "-o", tmp_path / "said.csv", "--keep", "title", "--beams", 2)
    assert done.exit_code == 0, done.output
    said = pd.read_csv(tmp_path / "said.csv")
    assert list(said.columns) == ["row", "title", "answer", "answer_score"] and len(said) == 40
    done = invoke("generate", run, "--chat", "--image", run.parent / "photos" / "0.png", stdin="one\ntwo\n\nthree\n")
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "about what\\? Give --image"),
        (["--set", "price=3"], "unknown column 'price'"),
        (["--set", "price"], "expected COLUMN=VALUE"),
        (["--question", "a", "--max-length", 99], "learned texts of up to 8 tokens"),
        (["--question", "a", "--beams", 2, "--temperature", 1], "choose one"),
        (
            ["--question", "a", "--choices", "yes,a very long answer that is longer than eight tokens are"],
            "is longer than",
        ),
    ],
)
def test_mistakes_are_named(run: Path, arguments: list[Any], message: str) -> None:
    done = invoke("generate", run, *arguments)
    assert isinstance(done.exception, (DataError, RecipeError))
    with pytest.raises((DataError, RecipeError), match=message):
        raise done.exception


def test_options_are_ranked_by_their_likelihood(run: Path) -> None:
    table = run.parent / "table.csv"
    frame = pd.read_csv(table).head(12)
    frame["options"] = [json.dumps(["yes", "no", "perhaps"])] * 12
    frame["relevance"] = [json.dumps([1.0, 0.5, 0.0])] * 12
    frame.drop(columns="relevance").to_csv(run.parent / "ranked.csv", index=False)
    writer = Writer(Predictor.load(run))
    scores = writer.rank(run.parent / "ranked.csv", [["yes", "no"]] * 12)
    held = Writer(Predictor.load(run), ["yes", "no"], beams=2, best=2)
    for row in range(3):
        asked = {"photo": str(run.parent / frame["photo"][row]), "title": frame["title"][row]}
        found = dict(held.write(asked))
        assert scores[row] == pytest.approx([found["yes"], found["no"]], abs=1e-4)
    done = invoke("evaluate", run, run.parent / "ranked.csv", "--options", "options", "--json")
    said = json.loads(done.stdout)
    place = [list(s) for s in writer.rank(run.parent / "ranked.csv", [["yes", "no", "perhaps"]] * 12)]
    ranks = [
        1 + sum(o > s[["yes", "no", "perhaps"].index(a)] for o in s)
        for s, a in zip(place, frame["answer"], strict=True)
    ]
    assert said["mean_rank"] == pytest.approx(sum(ranks) / 12) and set(said) == {"mrr", "r1", "r5", "r10", "mean_rank"}
    frame["options"] = [json.dumps(["perhaps"])] * 12
    frame.to_csv(run.parent / "ranked.csv", index=False)
    with pytest.raises(DataError, match="row 1: the answer .* is none of its options"):
        evaluate_ranked(writer, run.parent / "ranked.csv", "options")
    for wrong in (-1, 3, 0.5, None):  # of which the first once stood for the last option
        frame["options"], frame["gt_index"] = [json.dumps(["yes", "no", "perhaps"])] * 12, [0, wrong] * 6
        with pytest.raises(DataError, match="row 2, column 'gt_index': expected the place of the true answer, 0 to 2"):
            evaluate_ranked(writer, frame.assign(photo=[str(run.parent / name) for name in frame["photo"]]), "options")
    with pytest.raises(DataError, match="row 1 has no options"):
        writer.rank(run.parent / "ranked.csv", [[]] * 12)


def test_a_writer_leaves_its_predictor_as_it_was(tmp_path: Path) -> None:
    """Predict, evaluate and generate in any order give the same."""
    given = frame().assign(y=lambda f: np.where(f["a"] > 0, "a red bird", "two small fish"))
    predictor = fitted(given, tmp_path, task={"type": "generation"}, train={"epochs": 2}, decoder={"vocab_size": 280})
    first = predictor.evaluate(given), predictor.predict(given).tolist(), len(predictor.targets_.writer.known)
    chosen = Writer(predictor, ["two small fish"], max_length=12)
    assert {text for text, _ in chosen.write({"a": 3.0, "t": "x"})} == {"two small fish"}
    found = next(chosen.write_frames(given))
    assert set(found["y"]) == {"two small fish"}
    assert (predictor.evaluate(given), predictor.predict(given).tolist(), len(predictor.targets_.writer.known)) == first
