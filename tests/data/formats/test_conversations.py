"""VQAv2, visual dialogs and chats, each in a small file of its true form."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fakes import picture
from plait.data.formats.conversations import chat_rows
from plait.data.readers import open_table
from plait.errors import DataError


def vqa(folder: Path, annotated: bool = True) -> Path:
    for n in (1, 2):
        picture(folder / "val2014" / f"COCO_val2014_{n:012d}.jpg", "red", seed=n)
    questions = [{"image_id": n, "question": f"what is {n}?", "question_id": 10 * n} for n in (1, 2)]
    path = folder / "v2_OpenEnded_mscoco_val2014_questions.json"
    path.write_text(json.dumps({"questions": questions, "data_subtype": "val2014"}))
    notes = [
        {
            "question_id": 10 * n,
            "image_id": n,
            "question_type": "what is",
            "answer_type": "other",
            "multiple_choice_answer": "red",
            "answers": [
                {"answer": a, "answer_confidence": "yes", "answer_id": i} for i, a in enumerate(["red"] * 9 + ["pink"])
            ],
        }
        for n in (1, 2)
    ]
    if annotated:
        (folder / "v2_mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": notes}))
    return path


def test_vqa_questions_find_their_answers(tmp_path: Path) -> None:
    path = vqa(tmp_path)
    table = open_table(path)
    frame = table.data.to_pandas()
    assert list(frame["answer"]) == ["red", "red"] and list(frame["answers"][0]) == ["red"] * 9 + ["pink"]
    assert list(frame["image"]) == [f"val2014/COCO_val2014_{n:012d}.jpg" for n in (1, 2)]
    assert set(frame["answer_type"]) == {"other"} and table.root == tmp_path
    other = open_table(tmp_path / "v2_mscoco_val2014_annotations.json")
    pd.testing.assert_frame_equal(other.data.to_pandas(), frame)


def test_vqa_without_answers_or_questions(tmp_path: Path) -> None:
    frame = open_table(vqa(tmp_path, annotated=False)).data.to_pandas()
    assert "answer" not in frame and list(frame["question"]) == ["what is 1?", "what is 2?"]
    vqa(tmp_path).unlink()
    with pytest.raises(DataError, match="need their questions, v2_OpenEnded_mscoco_val2014_questions.json"):
        open_table(tmp_path / "v2_mscoco_val2014_annotations.json")


def visdial(folder: Path, dense: bool = True) -> Path:
    picture(folder / "VisualDialog_val2018" / f"VisualDialog_val2018_{7:012d}.jpg", "blue")
    turns = [
        {"question": 0, "answer": 1, "answer_options": [1, 0], "gt_index": 0},
        {"question": 1, "answer": 0, "answer_options": [1, 0], "gt_index": 1},
    ]
    data = {
        "questions": ["is it blue", "is it big"],
        "answers": ["no", "yes"],
        "dialogs": [{"image_id": 7, "caption": "a thing", "dialog": turns}],
    }
    path = folder / "visdial_1.0_val.json"
    path.write_text(json.dumps({"version": "1.0", "split": "val2018", "data": data}))
    if dense:
        worth = [{"image_id": 7, "round_id": 2, "gt_relevance": [0.0, 1.0]}]
        (folder / "visdial_1.0_val_dense_annotations.json").write_text(json.dumps(worth))
    return path


def test_a_dialog_is_a_row_a_turn(tmp_path: Path) -> None:
    frame = open_table(visdial(tmp_path)).data.to_pandas()
    assert list(frame["question"]) == ["is it blue?", "is it big?"] and list(frame["answer"]) == ["yes", "no"]
    assert list(frame["history"]) == ["a thing", "a thing\nis it blue? yes."]
    assert [list(options) for options in frame["options"]] == [["yes", "no"]] * 2 and list(frame["gt_index"]) == [0, 1]
    assert frame["relevance"][0] is None and list(frame["relevance"][1]) == [0.0, 1.0]
    assert frame["image"][0] == f"VisualDialog_val2018/VisualDialog_val2018_{7:012d}.jpg"
    (tmp_path / "VisualDialog_val2018").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="are not near"):
        open_table(tmp_path / "visdial_1.0_val.json")


def test_a_dialog_without_words_of_an_answer(tmp_path: Path) -> None:
    """The place among the options says what the answer is; where neither does, the history holds the question alone."""
    path = visdial(tmp_path)
    content = json.loads(path.read_text())
    first = content["data"]["dialogs"][0]["dialog"][0]
    del first["answer"]
    path.write_text(json.dumps(content))
    frame = open_table(path).data.to_pandas()
    assert list(frame["answer"]) == ["yes", "no"] and frame["history"][1].endswith("is it blue? yes.")
    del first["gt_index"]
    path.write_text(json.dumps(content))
    frame = open_table(path).data.to_pandas()
    assert pd.isna(frame["answer"][0]) and frame["history"][1] == "a thing\nis it blue?"


PLACED = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "<image>\nWhat is it?"},
    {"role": "assistant", "content": "a cat"},
    {"role": "user", "content": "And its colour?"},
    {"role": "assistant", "content": "grey"},
]
PARTS = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "a cat"}]},
    {"role": "user", "content": [{"type": "text", "text": "And its colour?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "grey"}]},
]
LLAVA = [{"from": {"user": "human", "assistant": "gpt"}[m["role"]], "value": m["content"]} for m in PLACED[1:]]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": PLACED, "images": ["cat.jpg"]},
        {"messages": PARTS, "images": ["cat.jpg"]},
        {"messages": PARTS, "images": [{"path": "cat.jpg"}]},
        {"conversations": LLAVA, "image": "cat.jpg"},
    ],
)
@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_chats_of_every_form(row: dict[str, Any], ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"chats{ending}"
    path.write_text(json.dumps([row]) if ending == ".json" else json.dumps(row) + "\n")
    frame = open_table(path).data.to_pandas()
    assert list(frame["answer"]) == ["a cat", "grey"] and set(frame["image"]) == {"cat.jpg"}
    assert frame["question"][1] == "And its colour?" and "What is it? a cat" in frame["history"][1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": PLACED, "images": ["a.jpg", "b.jpg"]}, "row 1: 1 place holders .* and 2 images"),
        ({"messages": PLACED}, "1 place holders .* and 0 images"),
        ({"messages": [{"role": "user"}]}, "needs a role and content"),
        ({"messages": PLACED[:2], "images": ["a.jpg"]}, "no message of an assistant"),
    ],
)
def test_chats_that_do_not_fit(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message):
        open_table(path)


def test_prompt_and_completion_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": "2 + 2", "completion": "4"}) + "\n")
    assert open_table(path).data.to_pandas().to_dict("list") == {"prompt": ["2 + 2"], "completion": ["4"]}


def test_several_pictures_keep_their_places(tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "and"}, {"type": "image"}]},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "now <image>?"},
            {"role": "assistant", "content": "three"},
        ],
        "images": ["a.png", "b.png", "c.png"],
    }
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(row) + "\n")
    table = open_table(path)
    assert table.cells("image", [0, 1]) == ["a.png;b.png", "a.png;b.png;c.png"]
    assert table.cells("question", [0, 1]) == ["<image> and <image>", "now <image> ?"]
    assert table.cells("history", [1]) == ["<image> and <image> two"]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "user", "content": [{"type": "image"}, None]}], "row 1: content is a text or a list of parts"),
        ([{"role": "user", "content": 5}], "row 1: content is a text or a list of parts, got 5"),
        (["hello"], "row 1: a message needs a role and content, got hello"),
    ],
)
def test_damaged_chats_are_named(messages: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        chat_rows({"messages": messages}, 1, "chats.jsonl")


def test_a_part_may_be_a_plain_text() -> None:
    said = [{"role": "user", "content": ["what is", "it?"]}, {"role": "assistant", "content": "a cat"}]
    assert chat_rows({"messages": said}, 1, "chats.jsonl")[0]["question"] == "what is it?"
