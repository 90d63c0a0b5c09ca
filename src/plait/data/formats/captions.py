"""Captions in JSON: COCO's, COCO's results, Karpathy's splits; and what else a `.json` may hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

import pandas as pd
from annotated_types import Ge, Lt
from typing_extensions import TypedDict

from plait import console
from plait.data.formats.conversations import is_chat, read_chats, read_dialogs, read_vqa, vqa_partner
from plait.data.formats.pictures import counted, locate
from plait.data.table import Table
from plait.errors import DataError
from plait.files.reading import checked, parse_json, read_bytes

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}  # restval trains, as everybody does
KNOWN = (
    'COCO captions {"images", "annotations"}, results [{"image_id", "caption"}], Karpathy {"images": [{"sentences"}]}, '
    'VQA {"questions"}, VisDial {"data": {"dialogs"}} or chats [{"messages"}]'
)


Identity = Annotated[int, Ge(-(2**63)), Lt(2**63)] | str
MOST = 1 << 30  # bytes of a file


class Picture(TypedDict):
    """An image in COCO's captions."""

    id: Identity
    file_name: str


class Note(TypedDict):
    """A caption in COCO's captions."""

    id: Identity
    image_id: Identity
    caption: str


class Coco(TypedDict):
    """COCO's captions."""

    images: list[Picture]
    annotations: list[Note]


class Result(TypedDict):
    """One of COCO's results."""

    image_id: Identity
    caption: str


class Sentence(TypedDict):
    """A caption in Karpathy's splits."""

    raw: str


class Split(TypedDict):
    """An image in Karpathy's splits."""

    split: str
    filename: str
    sentences: list[Sentence]
    filepath: NotRequired[str | None]
    cocoid: NotRequired[Identity | None]
    imgid: NotRequired[Identity | None]


def read_captions_json(path: Path) -> Table:
    """A JSON file → a table: of captions `image`, `caption` and ids, a row a caption; see `KNOWN` for the others.

    Captions whose image is not listed, and images without a caption, are counted, named and left out.

    Raises:
        DataError: it is no JSON, none of the known formats, or the images are nowhere near.
    """
    content = _json(path)
    if isinstance(content, list) and content:
        return read_chats(path, content) if is_chat(content[0]) else _results(path, content)
    if isinstance(content, dict) and "questions" in content:
        partner = vqa_partner(path)
        return read_vqa(path, content, partner, _json(partner) if partner.is_file() else None)
    if isinstance(content, dict) and isinstance(content.get("data"), dict) and "dialogs" in content["data"]:
        dense = path.with_name(f"{path.stem}_dense_annotations.json")
        return read_dialogs(path, content, dense, _json(dense) if dense.is_file() else None)
    if isinstance(content, dict) and _of_vqa(content.get("annotations")):
        partner = vqa_partner(path)
        if not partner.is_file():
            raise DataError(f"{path}: annotations of VQA need their questions, {partner.name}, beside them")
        return read_vqa(partner, _json(partner), path, content)
    if isinstance(content, dict) and "annotations" in content:
        return _coco(path, content)
    if isinstance(content, dict) and "images" in content:
        return _karpathy(path, content["images"])
    raise DataError(f"{path}: expected {KNOWN}, got {type(content).__name__} {str(content)[:60]}")


def _of_vqa(notes: Any) -> bool:
    return isinstance(notes, list) and bool(notes) and isinstance(notes[0], dict) and "question_id" in notes[0]


def _json(path: Path) -> Any:
    return parse_json(read_bytes(path, most=MOST), path)


def _coco(path: Path, values: Mapping[str, Any]) -> Table:
    notes = values["annotations"]
    if isinstance(notes, list):  # annotations of boxes have no captions
        notes = [note for note in notes if not isinstance(note, dict) or "caption" in note]
    coco: Coco = checked({**values, "annotations": notes}, Coco, path)
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    rows = [(a["image_id"], a["id"], a["caption"]) for a in coco["annotations"]]
    if not rows:
        raise DataError(f"{path}: its annotations have no captions; name the file captions_*.json")
    lost = [identity for identity, _, _ in rows if identity not in names]
    silent = sorted(names.keys() - {identity for identity, _, _ in rows}, key=str)
    rows = [row for row in rows if row[0] in names]
    if not rows:
        raise DataError(f"{path}: no annotation's image_id is among the images' ids, such as {lost[0]!r}")
    _say(path, lost, silent)
    root, folder = locate(path, [names[rows[0][0]]], _folders(path))
    frame = pd.DataFrame(rows, columns=["image_id", "caption_id", "caption"])
    frame.insert(0, "image", [(folder / names[identity]).as_posix() for identity in frame["image_id"]])
    return _table(path, root, frame)


def _results(path: Path, values: Sequence[Any]) -> Table:
    """The captions that a model wrote, without images: to be scored as texts."""
    results: list[Result] = checked(values, list[Result], path)
    rows = [(entry["image_id"], entry["caption"]) for entry in results]
    return _table(path, path.parent, pd.DataFrame(rows, columns=["image_id", "caption"]))


def _karpathy(path: Path, values: Any) -> Table:
    images: list[Split] = checked(values, list[Split], f"{path}: images")
    rows, silent, wrong = [], [], []
    for image in images:
        split = SPLITS.get(image["split"])
        if split is None:
            wrong.append(image["split"])
        name = f"{image['filepath']}/{image['filename']}" if image.get("filepath") else image["filename"]
        identity = image.get("cocoid", image.get("imgid"))
        texts = [sentence["raw"] for sentence in image["sentences"]]
        silent += [] if texts else [identity]
        rows += [(name, text, split, identity) for text in texts]
    if wrong or not rows:
        came = f"split {wrong[0]!r}" if wrong else "no sentence"
        raise DataError(f"{path}: expected images with sentences and a split of {', '.join(SPLITS)}, got {came}")
    _say(path, [], silent)
    root, folder = locate(path, [rows[0][0]])
    frame = pd.DataFrame(rows, columns=["image", "caption", "split", "image_id"])
    frame["image"] = [(folder / name).as_posix() for name in frame["image"]]
    return _table(path, root, frame)


def _folders(path: Path) -> list[str]:
    """`captions_train2017.json` is about images in `train2017`."""
    _, _, year = path.stem.partition("_")
    return [year] if year else []


def _say(path: Path, lost: Sequence[Any], silent: Sequence[Any]) -> None:
    if lost:
        console.say(counted(path, "captions name an image that is not listed", lost))
    if silent:
        console.say(counted(path, "images have no caption", silent))


def _table(path: Path, root: Path, frame: pd.DataFrame) -> Table:
    table = Table.from_frame(frame, root)
    table.source = str(path)
    return table
