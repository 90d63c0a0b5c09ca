"""Series of the UCR and UEA archives: `.ts` files."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plait.data.table import Table
from plait.errors import DataError
from plait.files.reading import MOST_BYTES, read_bytes

MISSING = "?"


def read_ts(path: Path) -> Table:
    """A `.ts` file → `series` (a list of numbers, or of rows of numbers where there are several channels), `label`.

    Labels are texts as the file writes them, numbers where it says `@targetlabel`. Series may differ in length, and
    miss values (`?`).

    Raises:
        DataError: it is damaged, or holds times (`@timestamps true`), which no archive's file does.
    """
    try:
        text = read_bytes(path, most=MOST_BYTES).decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a text, got a file of another kind") from error
    header, _, body = text.partition("@data")
    if not body:
        raise DataError(f"{path}: expected a line @data, and series behind it")
    lines = [line[1:].split() for line in header.splitlines() if line.startswith("@")]
    facts = {parts[0].lower(): parts[1:] for parts in lines if parts}
    if facts.get("timestamps", ["false"])[0].lower() == "true":
        raise DataError(f"{path}: series with times of their own can't be read from .ts; write one CSV file a series")
    labelled = facts.get("classlabel", ["false"])[0].lower() == "true"
    numeric = facts.get("targetlabel", ["false"])[0].lower() == "true"
    rows, labels = [], []
    first = header.count("\n") + 1
    for number, line in enumerate(body.splitlines()[1:], first + 1):
        if not line.strip():
            continue
        dimensions = line.strip().split(":")
        if labelled or numeric:
            labels.append(dimensions.pop().strip())
        rows.append(_row(path, number, dimensions))
    if not rows:
        raise DataError(f"{path}: holds no series")
    columns: dict[str, Any] = {"series": pa.array(rows)}
    if labels:
        columns["label"] = pa.array([float(label) for label in labels] if numeric else labels)
    # The header calls labels classes, also where they are written as 1 to 10.
    classes = ["label"] if labels and not numeric else []
    return Table(pa.table(columns), path.parent, str(path), categorical=classes)


def _row(path: Path, number: int, dimensions: list[str]) -> list[Any]:
    """A list of numbers; of several dimensions a list of steps."""
    try:
        channels = [[np.nan if v.strip() == MISSING else float(v) for v in one.split(",")] for one in dimensions]
    except ValueError as error:
        raise DataError(f"{path}: line {number}: {str(error)[:80]}") from error
    if len(channels) == 1:
        return channels[0]
    longest = max(map(len, channels))
    padded = np.full((longest, len(channels)), np.nan)  # dimensions of one series may differ in length, too
    for place, channel in enumerate(channels):
        padded[: len(channel), place] = channel
    rows: list[Any] = padded.tolist()
    return rows
