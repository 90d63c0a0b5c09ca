"""Captions in JSON: COCO's, COCO's results, Karpathy's splits; and what else a `.json` may hold."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from plait import console
from plait.data.formats.conversations import is_chat, read_chats, read_dialogs, read_vqa, vqa_partner
from plait.data.formats.pictures import counted, locate
from plait.data.table import Table
from plait.errors import DataError

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}  # restval trains, as everybody does
KNOWN = (
    'COCO captions {"images", "annotations"}, results [{"image_id", "caption"}], Karpathy {"images": [{"sentences"}]}, '
    'VQA {"questions"}, VisDial {"data": {"dialogs"}} or chats [{"messages"}]'
)


def read_captions_json(path: Path) -> Table:
    """A JSON file → a table: of captions `image`, `caption` and ids, a row a caption; see `KNOWN` for the others.

    Captions whose picture is not listed, and pictures without a caption, are counted, named and left out.

    Raises:
        DataError: it is no JSON, none of the known formats, or the pictures are nowhere near.
    """
    held = _json(path)
    try:
        if isinstance(held, list) and held and is_chat(held[0]):
            return read_chats(path, held)
        if isinstance(held, dict) and "questions" in held:
            partner = vqa_partner(path)
            return read_vqa(path, held, _json(partner) if partner.is_file() else None)
        if isinstance(held, dict) and isinstance(held.get("data"), dict) and "dialogs" in held["data"]:
            dense = path.with_name(f"{path.stem}_dense_annotations.json")
            return read_dialogs(path, held, _json(dense) if dense.is_file() else None)
        if isinstance(held, dict) and "question_id" in (held.get("annotations") or [{}])[0]:
            partner = vqa_partner(path)
            if not partner.is_file():
                raise DataError(f"{path}: annotations of VQA need their questions, {partner.name}, beside them")
            return read_vqa(partner, _json(partner), held)
        if isinstance(held, list):
            return _results(path, held)
        if isinstance(held, dict) and "annotations" in held:
            return _coco(path, held)
        if isinstance(held, dict) and "images" in held:
            return _karpathy(path, held["images"])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: expected {KNOWN}; an entry lacks or has a wrong {error}") from error
    raise DataError(f"{path}: expected {KNOWN}, got {type(held).__name__} {str(held)[:60]}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({str(error)[:120]})") from error


def _coco(path: Path, held: Mapping[str, Any]) -> Table:
    names = {image["id"]: image["file_name"] for image in held["images"]}
    rows = [(a["image_id"], a["id"], a["caption"]) for a in held["annotations"] if "caption" in a]
    if not rows:
        raise DataError(f"{path}: its annotations have no captions; name the file captions_*.json")
    lost = [identity for identity, _, _ in rows if identity not in names]
    silent = sorted(names.keys() - {identity for identity, _, _ in rows})
    rows = [row for row in rows if row[0] in names]
    if not rows:
        raise DataError(f"{path}: no annotation's image_id is among the images' ids, such as {lost[0]!r}")
    _say(path, lost, silent)
    root, folder = locate(path, [names[rows[0][0]]], _folders(path))
    frame = pd.DataFrame(rows, columns=["image_id", "caption_id", "caption"])
    frame.insert(0, "image", [(folder / names[identity]).as_posix() for identity in frame["image_id"]])
    return _table(path, root, frame)


def _results(path: Path, held: Sequence[Mapping[str, Any]]) -> Table:
    """What a captioning model said, without pictures: to be judged by their captions."""
    rows = [(entry["image_id"], entry["caption"]) for entry in held]
    return _table(path, path.parent, pd.DataFrame(rows, columns=["image_id", "caption"]))


def _karpathy(path: Path, images: Sequence[Mapping[str, Any]]) -> Table:
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
        raise DataError(f"{path}: expected pictures with sentences and a split of {', '.join(SPLITS)}, got {came}")
    _say(path, [], silent)
    root, folder = locate(path, [rows[0][0]])
    frame = pd.DataFrame(rows, columns=["image", "caption", "split", "image_id"])
    frame["image"] = [(folder / name).as_posix() for name in frame["image"]]
    return _table(path, root, frame)


def _folders(path: Path) -> list[str]:
    """`captions_train2017.json` is about pictures in `train2017`."""
    _, _, year = path.stem.partition("_")
    return [year] if year else []


def _say(path: Path, lost: Sequence[Any], silent: Sequence[Any]) -> None:
    if lost:
        console.say(counted(path, "captions name a picture that is not listed", lost))
    if silent:
        console.say(counted(path, "pictures have no caption", silent))


def _table(path: Path, root: Path, frame: pd.DataFrame) -> Table:
    table = Table.from_frame(frame, root)
    table.source = str(path)
    return table
