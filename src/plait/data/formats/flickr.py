"""Flickr30k (and 8k): the token file, and the CSV files that are passed around."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from plait.data.formats.pictures import locate
from plait.data.table import Table
from plait.errors import DataError


def read_flickr_token(path: Path) -> Table:
    """Lines such as `1000092795.jpg#0<tab>A caption .` → `image`, `caption`, `caption_id`.

    Raises:
        DataError: a line is none of these, or the pictures are nowhere near.
    """
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            name, tab, caption = line.rstrip("\n").partition("\t")
            picture, mark, which = name.rpartition("#")
            if not tab or not mark or not which.isdigit():
                raise DataError(f"{path}: line {number}: expected NAME.jpg#0<tab>caption, got {line[:60]!r}")
            rows.append((picture, caption.strip(), int(which)))
    return _table(path, rows)


def is_flickr(columns: Sequence[str]) -> bool:
    """`image_name| comment_number| comment`, or `raw` (a list of captions) with `filename`."""
    names = {name.strip() for name in columns}
    return {"image_name", "comment"} <= names or {"raw", "filename"} <= names


def read_flickr_csv(path: Path, delimiter: str) -> Table:
    """Either CSV → `image`, `caption`, `caption_id`, and `split` where the file says it.

    Raises:
        DataError: a list of captions is none, or the pictures are nowhere near.
    """
    frame = pd.read_csv(path, sep=delimiter, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    frame.columns = [str(name).strip() for name in frame.columns]
    rows: list[tuple[str, str, int]] = []
    splits: list[str] = []
    if "raw" not in frame:
        counts = frame.groupby("image_name").cumcount()
        rows = [
            (str(name).strip(), str(text).strip(), int(count))
            for name, text, count in zip(frame["image_name"], frame["comment"], counts, strict=True)
        ]
        return _table(path, rows)
    for number, (name, raw) in enumerate(zip(frame["filename"], frame["raw"], strict=True), 1):
        try:
            texts = json.loads(raw)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}: row {number}: raw is no list of captions ({str(raw)[:60]!r})") from error
        rows += [(name, str(text), count) for count, text in enumerate(texts)]
        splits += [frame["split"][number - 1]] * len(texts) if "split" in frame else []
    return _table(path, rows, splits)


def _table(path: Path, rows: Sequence[tuple[str, str, int]], splits: Sequence[str] = ()) -> Table:
    root, folder = locate(path, [rows[0][0]] if rows else [])
    frame = pd.DataFrame(rows, columns=["image", "caption", "caption_id"])
    frame["image"] = [(folder / name).as_posix() for name in frame["image"]]
    if splits:
        frame["split"] = list(splits)
    table = Table.from_frame(frame, root)
    table.source = str(path)
    return table
