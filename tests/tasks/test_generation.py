"""Texts about rows: a model learns to write them, and what is wrong is said."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.metrics.caption import CaptionScorer
from plait.predictor import Predictor
from plait.processors import TargetText
from plait.tasks import Generation
from plait.types import Generated
from tasks.captions import TRAIN, caption_table, written


@pytest.mark.parametrize("decoder", ["transformer", pytest.param("rnn", marks=pytest.mark.slow)])
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
    first = ~frame["caption"].duplicated()  # rows that ask the same have the same answer, and the first of them counts
    scorer = CaptionScorer([[text] for text in frame["caption"][first]])
    assert scores["CIDEr"] == pytest.approx(scorer.score(list(np.array(said)[first]))["CIDEr"])
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


def test_a_table_without_texts_is_refused(tmp_path: Path) -> None:
    path = caption_table(tmp_path, 24)
    frame = pd.read_csv(path)
    frame["caption"] = ""
    with pytest.raises((DataError, RecipeError), match="no texts|no values|empty"):
        Predictor("caption", output=tmp_path / "run", task={"type": "generation"}, verbose=False).fit(
            Table.from_frame(frame, tmp_path)
        )
