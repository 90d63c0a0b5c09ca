"""Flickr30k (and 8k): the token file, and the CSV files that are passed around."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from plait.data.formats.pictures import locate
from plait.data.table import Table
from plait.errors import DataError
from plait.files.reading import checked, parse_json


def read_flickr_token(path: Path) -> Table:
    """Lines such as `1000092795.jpg#0<tab>A caption .` → `image`, `caption`, `caption_id`.

    Raises:
        DataError: a line is none of these, or the images are nowhere near.
    """
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            name, tab, caption = line.rstrip("\n").partition("\t")
            image, mark, which = name.rpartition("#")
            if not tab or not mark or not (which.isdecimal() and len(which) < 10):
                raise DataError(f"{path}: line {number}: expected NAME.jpg#0<tab>caption, got {line[:60]!r}")
            rows.append((image, caption.strip(), int(which)))
    return _table(path, rows)


def is_flickr(columns: Sequence[str]) -> bool:
    """`image_name| comment_number| comment`, or `raw` (a list of captions) with `filename`."""
    names = {name.strip() for name in columns}
    return {"image_name", "comment"} <= names or {"raw", "filename"} <= names


def read_flickr_csv(path: Path, delimiter: str) -> Table:
    """Either CSV → `image`, `caption`, `caption_id`, and `split` where the file says it.

    Raises:
        DataError: a list of captions is none, or the images are nowhere near.
    """
    try:
        with warnings.catch_warnings():  # pandas would drop the cells beyond the last name, with a warning
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path, sep=delimiter, dtype=str, skipinitialspace=True, encoding="utf-8-sig", index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DataError(f"{path}: the table is damaged ({str(error).splitlines()[-1][:160]})") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    rows: list[tuple[str, str, int]] = []
    splits: list[str] = []
    column, text = ("image_name", "comment") if "raw" not in frame else ("filename", "raw")
    missing = next((name for name in (column, text) if name not in frame), None)
    if missing is not None:  # such as a lone quote within a name
        raise DataError(f"{path}: expected the columns {column} and {text}, got {', '.join(frame.columns)}")
    lacking = frame[column].isna() | frame[text].isna()
    if lacking.any():
        raise DataError(f"{path}: row {int(lacking.argmax()) + 1}: {column} or {text} is missing")
    if "raw" not in frame:
        counts = frame.groupby("image_name").cumcount()
        rows = [
            (str(name).strip(), str(caption).strip(), int(count))
            for name, caption, count in zip(frame["image_name"], frame["comment"], counts, strict=True)
        ]
        return _table(path, rows)
    for number, (name, raw) in enumerate(zip(frame["filename"], frame["raw"], strict=True), 1):
        where = f"{path}: row {number}: raw is no list of captions"
        texts: list[str] = checked(parse_json(raw, where), list[str], where)
        rows += [(name, one, count) for count, one in enumerate(texts)]
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
