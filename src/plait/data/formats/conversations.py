"""Questions about images in JSON: VQAv2, visual dialogs, and chats with images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

import pandas as pd
from annotated_types import Ge, Lt
from typing_extensions import TypedDict

from plait import console
from plait.data.formats.pictures import counted, locate
from plait.data.table import Table
from plait.errors import DataError
from plait.files.reading import checked

MARK = "<image>"
USER, ANSWERS = ("user", "human"), ("assistant", "gpt")


Number = Annotated[int, Ge(0), Lt(10**15)]


class Question(TypedDict):
    """A question of VQAv2."""

    question_id: Number | str
    image_id: Number
    question: str


class Questions(TypedDict):
    """VQAv2's file of questions."""

    questions: list[Question]
    data_subtype: NotRequired[str | None]


class Said(TypedDict):
    """What one person answered."""

    answer: str


class Answer(TypedDict):
    """What people answered to a question."""

    question_id: Number | str
    multiple_choice_answer: NotRequired[str | None]
    answers: NotRequired[list[Said | str]]
    answer_type: NotRequired[str | None]
    question_type: NotRequired[str | None]


class Answers(TypedDict):
    """VQAv2's file of annotations."""

    annotations: list[Answer]


class Turn(TypedDict):
    """A question of a dialog; texts are places in lists."""

    question: Number | str
    answer: NotRequired[Number]
    answer_options: NotRequired[list[Number]]
    gt_index: NotRequired[Number | None]


class Dialog(TypedDict):
    """A dialog about an image."""

    image_id: Number
    caption: str
    dialog: list[Turn]


class Dialogs(TypedDict):
    """VisDial's texts and dialogs."""

    questions: list[str]
    answers: list[str]
    dialogs: list[Dialog]


class Dense(TypedDict):
    """How well each option answers."""

    image_id: Number
    round_id: int
    gt_relevance: list[float]


def read_vqa(path: Path, content: Mapping[str, Any], beside: Path, other: Mapping[str, Any] | None) -> Table:
    """VQAv2's questions, with the annotations beside them → `image`, `question`, `answer`, `answers` and their types.

    Args:
        path: the file of questions.
        content: its contents.
        beside: the file of annotations.
        other: its contents; None where there are none, as of a test set.

    Raises:
        DataError: the images are nowhere near, or no annotation is about a question.
    """
    questions: Questions = checked(content, Questions, path)
    annotations: Answers = {"annotations": []} if other is None else checked(other, Answers, beside)
    notes = {note["question_id"]: note for note in annotations["annotations"]}
    subtype = questions.get("data_subtype") or _year(path)
    # A row per question. Images are known by number only, so their names are built as COCO builds them.
    rows, silent = [], []
    for entry in questions["questions"]:
        identity = entry["question_id"]
        if other is not None and identity not in notes:
            silent.append(identity)
            continue
        note: Any = notes.get(identity, {})
        image = f"COCO_{subtype}_{entry['image_id']:012d}.jpg" if subtype else f"{entry['image_id']:012d}.jpg"
        people = [one["answer"] if isinstance(one, dict) else one for one in note.get("answers", [])]
        answer_cells = (
            note.get("multiple_choice_answer"),
            people or None,
            note.get("answer_type"),
            note.get("question_type"),
        )
        rows.append((image, entry["question"], *answer_cells, identity, entry["image_id"]))
    if silent:
        console.say(counted(path, "questions have no annotation", silent))
    if not rows:
        raise DataError(f"{path}: no annotation's question_id is among the questions' ids")
    names = ["image", "question", "answer", "answers", "answer_type", "question_type", "question_id", "image_id"]
    frame = pd.DataFrame(rows, columns=names)
    if other is None:  # a test set: nobody has answered
        frame = frame.drop(columns=["answer", "answers", "answer_type", "question_type"])
    root, folder = locate(path, [rows[0][0]], [subtype])
    frame["image"] = [(folder / name).as_posix() for name in frame["image"]]
    return _table(path, root, frame)


def vqa_partner(path: Path) -> Path:
    """The annotations that belong to a file of questions, and the other way round, by VQAv2's names."""
    name = path.name
    if "_questions" in name:
        return path.with_name(name.replace("OpenEnded_", "").replace("_questions", "_annotations"))
    return path.with_name(name.replace("mscoco", "OpenEnded_mscoco").replace("_annotations", "_questions"))


def read_dialogs(path: Path, content: Mapping[str, Any], beside: Path, worth_of: Any) -> Table:
    """VisDial 1.0 → a row per turn: `image`, `caption`, `history`, `question`, `answer`, `turn`, `options`.

    `history` holds the caption and the turns before. `options` and `gt_index` (from 0) are there where the file has
    them, and `relevance` where dense annotations lie beside it.

    Raises:
        DataError: the images are nowhere near.
    """
    data: Dialogs = checked(content["data"], Dialogs, f"{path}: data")
    dense: list[Dense] = checked(worth_of or [], list[Dense], beside)
    split, questions, answers = str(content.get("split", "")), data["questions"], data["answers"]
    worth = {(d["image_id"], d["round_id"]): d["gt_relevance"] for d in dense}
    rows = []
    for dialog in data["dialogs"]:
        caption = str(dialog["caption"]).strip()
        history = [caption]
        for turn, one in enumerate(dialog["dialog"], 1):
            asks = one["question"]
            question = f"{_listed(path, questions, asks)}?" if isinstance(asks, int) else asks
            if "answer" not in one and "answer_options" not in one:
                history.append(question)  # in a test set only the last turn is to be answered
                continue
            answer = _listed(path, answers, one["answer"]) if "answer" in one else None
            options = [_listed(path, answers, n) for n in one.get("answer_options", [])] or None
            place = one.get("gt_index")
            if answer is None and options and place is not None and 0 <= place < len(options):
                answer = options[place]
            relevance = worth.get((dialog["image_id"], turn))
            turn_cells = ("\n".join(history), question, answer, turn, options, one.get("gt_index"), relevance)
            rows.append((dialog["image_id"], caption, *turn_cells))
            history.append(question if answer is None else f"{question} {answer}.")
    names = ["image_id", "caption", "history", "question", "answer", "turn", "options", "gt_index", "relevance"]
    frame = pd.DataFrame(rows, columns=names)
    frame = frame.drop(columns=[n for n in ("options", "gt_index", "relevance", "answer") if frame[n].isna().all()])
    usual = [("VisualDialog", split), ("COCO", "train2014"), ("COCO", "val2014"), ("COCO", split)]
    for kind, part in usual:  # the training dialogs are about COCO's images of both parts
        images = [f"{kind}_{part}_{identity:012d}.jpg" for identity in frame["image_id"]]
        try:
            root, folder = locate(path, images, [f"VisualDialog_{split}", split, part])
        except DataError:
            continue
        frame.insert(
            0,
            "image",
            [_first_of(root, folder, name, identity) for name, identity in zip(images, frame["image_id"], strict=True)],
        )
        return _table(path, root, frame)
    raise DataError(f"{path}: images such as VisualDialog_{split}_….jpg are not near; put their folder beside the file")


def _listed(path: Path, texts: Sequence[str], place: int) -> str:
    if place >= len(texts):
        raise DataError(f"{path}: names text {place:,} of a list of {len(texts):,}")
    return texts[place]


def _first_of(root: Path, folder: Path, name: str, identity: Any) -> str:
    """An image's path, in the one of COCO's two parts that holds it."""
    for part, other in (("train2014", "val2014"), ("val2014", "train2014")):
        if part in name and not (root / folder / name).is_file():
            elsewhere = Path(str(folder).replace(part, other)) / name.replace(part, other)
            if (root / elsewhere).is_file():
                return elsewhere.as_posix()
    return (folder / name).as_posix()


def chat_rows(row: Any, number: int, source: str) -> list[dict[str, Any]]:
    """A chat → a row for each thing that the assistant said: `image`, `history`, `question`, `answer`.

    Both common forms: place holders in a text (`<image>`, as LLaVA's `conversations` have too), and content that is a
    list of parts. Other columns stay. With several images the texts keep their place holders, so that a language model
    can put each image where it is mentioned; a row has the images that were shown up to its question.

    Raises:
        DataError: the place holders are more or fewer than the images, or a message has no role or content.

    >>> messages = [{"role": "user", "content": "<image>\\nWhat is it?"}, {"role": "assistant", "content": "a cat"}]
    >>> chat_rows({"messages": messages, "images": ["cat.jpg"]}, 1, "chats.jsonl")
    [{'image': 'cat.jpg', 'history': None, 'question': 'What is it?', 'answer': 'a cat'}]
    """
    if not isinstance(row, Mapping):
        raise DataError(f"{source}: row {number}: expected a chat with messages, got {str(row)[:60]}")
    key = "messages" if "messages" in row else "conversations"
    listed = row.get("images", row.get("image"))
    listed_images = listed if isinstance(listed, list) else [] if listed is None else [listed]
    pictures = [_path(one) for one in listed_images]
    turns, inline = [], []
    messages = row.get(key) or []
    if not isinstance(messages, list):
        raise DataError(f"{source}: row {number}: {key} is a list of messages, got {str(messages)[:60]}")
    # Both forms of a message become (role, text), with a place holder in the text for each image.
    for message in messages:
        if not isinstance(message, Mapping):
            raise DataError(f"{source}: row {number}: a message needs a role and content, got {str(message)[:60]}")
        role, content = (
            message.get(name) for name in (("role", "content") if "role" in message else ("from", "value"))
        )
        if role is None or content is None:
            raise DataError(f"{source}: row {number}: a message needs a role and content, got {str(message)[:60]}")
        listed_parts = content if isinstance(content, list) else [content]
        parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in listed_parts]
        if not all(isinstance(part, Mapping) for part in parts):
            raise DataError(f"{source}: row {number}: content is a text or a list of parts, got {str(content)[:60]}")
        image_parts = [part for part in parts if part.get("type") in ("image", "image_url")]
        words = [MARK if part in image_parts else str(part.get("text", "")) for part in parts]
        inline += [
            _path(part.get("image") or part.get("image_url"))
            for part in image_parts
            if part.get("image") or part.get("image_url")
        ]
        turns.append((role, " ".join(" ".join(words).replace(MARK, f" {MARK} ").split())))
    pictures = pictures or inline
    marks = sum(text.count(MARK) for _, text in turns)
    if marks != len(pictures):
        raise DataError(
            f"{source}: row {number}: {marks} place holders ({MARK}) and {len(pictures)} images; each image needs one"
        )
    if len(pictures) == 1:  # one image needs no place holder: the row's column says which it is
        turns = [(role, " ".join(text.replace(MARK, " ").split())) for role, text in turns]
    other = {name: value for name, value in row.items() if name not in (key, "images", "image")}
    # A row per answer. What was said before it is its history; what the user said since the last answer, its question.
    rows: list[dict[str, Any]] = []
    history: list[str] = []
    question = ""
    images_so_far = 0
    for role, text in turns:
        images_so_far += text.count(MARK)
        if role in ANSWERS:
            earlier = "\n".join(history) or None
            images = ";".join(pictures if len(pictures) == 1 else pictures[:images_so_far]) or None
            rows.append({"image": images, "history": earlier, "question": question, "answer": text, **other})
            history.append(f"{question} {text}".strip())
            question = ""
        else:
            question = f"{question} {text}".strip() if role in USER or not question else question
    return rows


def read_chats(path: Path, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Chats → a row for each thing that the assistant said; see `chat_rows`.

    Raises:
        DataError: a chat is damaged, or none says anything.
    """
    turns = [turn for number, row in enumerate(rows, 1) for turn in chat_rows(row, number, str(path))]
    if not turns:
        raise DataError(f"{path}: no message of an assistant; there is nothing to learn")
    return _table(path, path.parent, pd.DataFrame(turns))


def is_chat(row: Any) -> bool:
    """Whether a row of JSON is a chat."""
    return isinstance(row, Mapping) and any(isinstance(row.get(key), list) for key in ("messages", "conversations"))


def _path(value: Any) -> str:
    path = value.get("path") or value.get("url") or value.get("image") if isinstance(value, dict) else value
    if not isinstance(path, str):
        raise DataError(f"expected an image's path, got {str(value)[:60]}")
    return path.removeprefix("file://")


def _year(path: Path) -> str:
    return next((part for part in path.stem.split("_") if part[-4:].isdigit() and not part.isdigit()), "")


def _table(path: Path, root: Path, frame: pd.DataFrame) -> Table:
    table = Table.from_frame(frame, root)
    table.source = str(path)
    return table
