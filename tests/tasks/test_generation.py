"""Texts about rows: a model learns to write them, and what is wrong is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import colour_table
from plait.compare.experiment import Experiment
from plait.data.table import Table
from plait.errors import DataError, PlaitError, RecipeError
from plait.metrics.caption import CaptionScorer
from plait.predictor import Predictor
from plait.processors import TargetText
from plait.recipe import Recipe
from plait.tasks import Generation
from plait.types import Generated

TRAIN = {"epochs": 30, "batch_size": 16, "learning_rate": 0.005, "precision": "float32", "device": "cpu"}


def caption_table(folder: Path, rows: int = 60) -> Path:
    """`photo,title,caption`: the caption names the colour of the photo and what the title says."""
    path = colour_table(folder, rows)
    frame = pd.read_csv(path)
    said = frame["title"].str.extract(r"of a (\w+) thing")[0]
    pairs = zip(shown_in(frame), said, strict=True)
    frame["caption"] = [f"A {shown} photo, called {word}." for shown, word in pairs]
    frame[["photo", "title", "caption"]].to_csv(folder / "captions.csv", index=False)
    return folder / "captions.csv"


def shown_in(frame: pd.DataFrame) -> list[str]:
    """The colours of the photos: yes means that it is the title's."""
    random = np.random.default_rng(0)
    names = ["red", "green", "blue"]
    found = []
    for _ in range(len(frame)):
        found.append(names[random.integers(3)])
        random.integers(3)
        random.normal(10, 3)
    return found


def written(table: Any, output: Path, decoder: str = "transformer", **more: Any) -> Predictor:
    options = {"transformer": {"dim": 32, "layers": 1, "heads": 2, "dropout": 0.0}, "rnn": {"dim": 96, "dropout": 0.0}}
    sections = {"task": {"type": "generation", "max_length": 24}, "train": TRAIN, **more}
    return Predictor(
        "caption",
        output=output,
        decoder={"method": decoder, "vocab_size": 320, **options[decoder]},
        generation={"max_length": 24},
        fusion={"dim": 32},
        inputs={
            "photo": {"modality": "image", "encoder": "scratch:cnn"},
            "title": {"modality": "text", "encoder": "scratch:bag"},
        },
        verbose=False,
        **sections,
    ).fit(table)


@pytest.mark.parametrize("decoder", ["transformer", "rnn"])
def test_it_learns_to_say_what_it_sees(tmp_path: Path, decoder: str) -> None:
    path = caption_table(tmp_path, 80)
    train = {**TRAIN, "batch_size": 8, "epochs": 40, "evaluate_every": 40, "trackers": ["tensorboard"]}
    predictor = written(path, tmp_path / "run", decoder, train=train)
    frame = pd.read_csv(path)
    said = predictor.predict(path)
    right = np.mean([a == b.lower() for a, b in zip(said, frame["caption"], strict=True)])
    assert right > (0.8 if decoder == "transformer" else 0.3)  # a ninth of all captions are alike
    assert predictor.metrics_["val"]["CIDEr"] > 1 and "METEOR" in predictor.metrics_["val"]

    again = Predictor.load(tmp_path / "run")
    assert list(again.predict(path)) == list(said)
    scores = again.evaluate(path)
    scorer = CaptionScorer([[text] for text in frame["caption"]])
    assert scores["CIDEr"] == pytest.approx(scorer.score(list(said))["CIDEr"])
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    samples = [record["samples"] for record in log if "samples" in record]
    assert len(samples) == 1 and set(samples[-1][0]) == {"row", "written", "right", "picture"}
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (folder,) = {path.parent for path in (tmp_path / "run" / "tensorboard").rglob("events*")}
    held = events.EventAccumulator(str(folder), size_guidance={"images": 0})
    held.Reload()
    assert held.Images("val/pictures")[0].width == 5 * 128 and samples[-1][0]["written"] in str(
        held.Tensors("val/written/text_summary")
    )
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert {"caption", "caption_score", "caption_true"} <= set(predictions.columns)
    assert " photo, called" in (tmp_path / "run" / "report.html").read_text()


def test_rows_of_one_question_share_their_answers() -> None:
    frame = pd.DataFrame({"photo": ["a", "a", "b"], "caption": ["one cat", "a cat", None]})
    texts = TargetText.train(["one cat", "a cat"], vocab_size=300, max_length=6)
    task = Generation("caption", {"photo": ["photo"]}, texts)
    truth = task.read(Table.from_frame(frame))
    assert truth is not None and truth.shape == (3, 7)
    assert truth[0, 0] == truth[1, 0] != truth[2, 0]
    assert task.right_answers(truth[0]) == ("one cat", "a cat")
    assert task.unusable(truth).tolist() == [False, False, True]
    found = Generated(np.full((3, 6), -1), np.zeros(3), np.zeros(3))
    for row, text in enumerate(["a cat", "nothing", ""]):
        ids = texts.encode(text)[:6]
        found.ids[row, : len(ids)] = ids
    scores = task.score(truth[:2], found[:2], ["Bleu_1", "exact_match"])
    assert scores == {"Bleu_1": pytest.approx(1.0), "exact_match": 1.0}  # the first row answers for both
    assert task.score(truth[:2], found[:2], ["CIDEr"]) == {}  # of one image it is not defined
    with pytest.raises(RecipeError, match="train.self_critical: CIDEr is not defined"):
        alike = Generation("caption", {"photo": ["photo"]}, texts)
        alike.read(Table.from_frame(frame.assign(caption="a cat")))
        alike.rewards(["a cat"], np.array([0]))


def test_answers_of_ten_people_and_their_types() -> None:
    frame = pd.DataFrame(
        {
            "photo": ["a", "b", "c"],
            "answer": ["red", "2", "yes"],
            "answers": [["red"] * 3 + ["pink"] * 7, ["2"] * 10, ["yes"] * 10],
            "kind": ["other", "number", "yes/no"],
        }
    )
    texts = TargetText.train(["red", "2", "yes"], vocab_size=300, max_length=6)
    task = Generation("answer", {"photo": ["photo"]}, texts, True, "answers", "kind")
    truth = task.read(Table.from_frame(frame))
    assert truth is not None and task.default_metric == "vqa_accuracy"
    found = Generated(np.full((3, 6), -1), np.zeros(3), np.zeros(3))
    for row, text in enumerate(["red", "3", "yes"]):
        ids = texts.encode(text)
        found.ids[row, : len(ids)] = ids
    scores = task.score(truth, found)
    assert scores["vqa_accuracy_other"] == pytest.approx(0.9) and scores["vqa_accuracy_number"] == 0
    assert scores["vqa_accuracy"] == pytest.approx((0.9 + 0 + 1) / 3) and scores["vqa_accuracy_yes/no"] == 1


def test_scheduled_sampling_and_beams_train(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    train = {**TRAIN, "epochs": 2, "scheduled_sampling": 0.5}
    predictor = written(path, tmp_path / "run", train=train)
    assert np.isfinite(predictor.metrics_["val"]["CIDEr"])


def test_the_right_answers_are_no_input(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    frame = pd.read_csv(path)
    frame["others"] = frame["caption"].map(lambda text: json.dumps([text, text.upper()]))
    predictor = Predictor(
        "caption",
        output=tmp_path / "run",
        task={"type": "generation", "references": "others", "max_length": 24},
        generation={"max_length": 8},
        decoder={"dim": 16, "layers": 1, "heads": 2},
        fusion={"dim": 16},
        train={**TRAIN, "epochs": 1},
        verbose=False,
    ).fit(Table.from_frame(frame, tmp_path))
    assert set(predictor.inputs_) == {"photo", "title"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fusion": "late_mean"}, "fusion.method=late_mean: it predicts by itself"),
        ({"train": {"auxiliary": 0.5}}, "train.auxiliary asks each modality for its own answer"),
        ({"decoder": "lstm"}, "decoder.method: .*there is no decoder 'lstm'|unknown decoder|lstm"),
        ({"decoder": {"layer": 3}}, "transformer has no option 'layer'"),
        ({"decoder": {"vocab_size": 100}}, "vocab_size=100: 256 bytes"),
        ({"generation": {"max_length": 500}}, "generation.max_length=500: texts of up to task.max_length=64"),
        ({"generation": {"beams": 0}}, "beams"),
        ({"task": {"type": "generation", "references": "other"}}, "unknown column 'other'"),
        (
            {"task": {"type": "classification", "max_length": 9}},
            "task.max_length: nothing reads it here, it belongs to generation",
        ),
        ({"task": {}, "train": {"scheduled_sampling": 0.5}}, "belongs to task.type=generation"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    path = caption_table(tmp_path, 24)
    with pytest.raises(PlaitError, match=message):
        Predictor("caption", output=tmp_path / "run", verbose=False, **{"task": {"type": "generation"}, **more}).fit(
            path
        )
    assert not (tmp_path / "run").exists()


def test_texts_that_are_hard() -> None:
    texts = TargetText.train(["a cat", "two cats"] * 3, vocab_size=300, max_length=10)
    long = texts.encode("word " * 10_000)
    assert len(long) == 10 and long[-1] == texts.end
    assert texts.decode(texts.encode("Üñï 日本 ♥")) != "" and texts.decode([]) == ""
    assert TargetText(**json.loads(json.dumps(texts.to_json()))).encode("a cat") == texts.encode("a cat")
    with pytest.raises(DataError, match="2 at least"):
        TargetText(texts.tokenizer, 1, 2, max_length=1)


def test_a_table_without_texts_is_refused(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    frame = pd.read_csv(path)
    frame["caption"] = ""
    with pytest.raises((DataError, RecipeError), match="no texts|no values|empty"):
        Predictor("caption", output=tmp_path / "run", task={"type": "generation"}, verbose=False).fit(
            Table.from_frame(frame, tmp_path)
        )


def test_one_line_makes_it_classification(tmp_path: Path) -> None:
    """The decoder's section stays in the recipe; rows of rare answers are left out and said."""
    path = colour_table(tmp_path, 60)
    frame = pd.read_csv(path)[["photo", "title", "answer"]]
    frame.loc[:2, "answer"] = ["perhaps", "never", "perhaps not"]
    values = {
        "task": {"type": "classification", "target": "answer", "top_classes": 2},
        "decoder": "rnn",
        "generation": {"beams": 2},
        "train": {**TRAIN, "epochs": 1},
    }
    predictor = Predictor.from_recipe(Recipe.parse(values), tmp_path / "run", verbose=False)
    predictor.fit(Table.from_frame(frame, tmp_path))
    assert "decoder.method (task.type=generation)" in (tmp_path / "run" / "report.html").read_text()
    assert predictor.classes_ == ["no", "yes"]
    assert set(predictor.predict(Table.from_frame(frame, tmp_path))) <= {"no", "yes"}


def test_starting_from_a_run(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    train = {**TRAIN, "epochs": 1}
    first = written(path, tmp_path / "first", train=train)
    again = {**train, "start": str(tmp_path / "first"), "self_critical": 0.5, "learning_rate": 1e-9}
    second = written(path, tmp_path / "again", train=again)
    old, new = (run.model_.head.state_dict() for run in (first, second))
    assert all(torch.allclose(old[name], new[name], atol=1e-5) for name in old)
    with pytest.raises(PlaitError, match="expected a run folder"):
        written(path, tmp_path / "second", train={**train, "start": str(tmp_path / "nothing")})
    other = tmp_path / "other"
    frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    Predictor("big", output=other, train=train, verbose=False).fit(frame)
    with pytest.raises(RecipeError, match="no weight of that run"):
        written(path, tmp_path / "second", train={**train, "start": str(other)})


def test_compare_says_that_it_does_not_write(tmp_path: Path) -> None:
    recipe = Recipe.parse({"task": {"type": "generation", "target": "caption"}})
    with pytest.raises(RecipeError, match="chosen, not written"):
        Experiment(recipe, Table.from_frame(pd.read_csv(caption_table(tmp_path, 20)), tmp_path), 2, False)
