"""Series of numbers over time: lists, arrays, files of numbers."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from plait.errors import DataError
from plait.files.reading import MOST_MEDIA, parse_json
from plait.modalities.media import Media, Opened, open_file
from plait.modalities.modality import Facts, Modality, Oddity, Shown
from plait.modalities.noises import Noise
from plait.modalities.sample import Sample, file_names
from plait.modalities.series_noises import drifted, with_gap, with_jitter, with_sensor_noise, without_channels
from plait.values import is_missing, plain

SUFFIXES = frozenset((".npy", ".npz"))
ENOUGH = 0.9  # share of a column's cells that must be series
FEWEST = 8  # numbers in half of the cells; shorter lists may be sets of tags, or a few measures
MOST_TEXT = 100_000_000  # characters of a list
SPARK = 200  # points of a drawn line
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def recognise(sample: Sample) -> str | None:
    """Nine of ten cells are lists of numbers, most of them of eight or more (as text, too), or name array files."""
    values = sample.values
    if isinstance(values[0], str) and not values[0].lstrip().startswith("["):
        return "its cells name array files" if file_names(values, SUFFIXES) else None
    written = isinstance(values[0], str)
    values = [_listed(value) if isinstance(value, str) else value for value in values]
    lengths = [len(value) for value in values if takes(value)]
    named = sum(map(_are_records, values)) >= ENOUGH * len(values)
    if len(lengths) < ENOUGH * len(values) or (sorted(lengths)[len(lengths) // 2] < FEWEST and not named):
        return None
    least, most = min(lengths), max(lengths)
    count = f"{least:,} each" if least == most else f"{least:,} to {most:,}"
    what = "records" if named else "numbers"
    return f"its cells are lists of {what}{' as text' if written else ''}, {count}"


def _are_records(value: Any) -> bool:
    if type(value).__name__ == "ndarray":
        return bool(value.dtype.names)
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)


def _listed(text: str) -> Any:
    """A list that is written as text: as JSON, or as Python and NumPy print lists, tuples and arrays; None for others.

    >>> _listed("[1. nan 3.5]"), _listed("[[1 2] [3 4]]"), _listed("[1, None]"), _listed("[1 2"), _listed("[1 ... 2]")
    ([1.0, nan, 3.5], [[1, 2], [3, 4]], [1, None], None, None)
    """
    if len(text) < MOST_TEXT and "..." not in text:
        for written in (text, _as_json(text)):
            with contextlib.suppress(DataError):
                return parse_json(written, "")
    return None


def _as_json(text: str) -> str:
    """Python's and NumPy's way of writing numbers and lists as JSON's."""
    text = re.sub(r"\b(?:np\.)?(?:float|int)\d+\(([^()]*)\)", r"\1", text)
    text = re.sub(r"\bnan\b", "NaN", text).replace("None", "null").replace("(", "[").replace(")", "]")
    text = re.sub(r",\s*\]", "]", text)
    text = re.sub(r"(?<=[\d.\]lN])\s+(?=[-+\d.\[nN])", ", ", text)
    text = re.sub(r"(?<=\d)\.(?=[\s,\]e])", ".0", text)
    return re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)


def _is_series(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    first = value[:20]
    if all(isinstance(step, dict) for step in first):
        return _are_steps(first)
    if all(isinstance(row, list | tuple) for row in first):
        return all(_is_number(number) for row in first for number in row[:20])
    return all(_is_number(number) for number in first)


def _are_steps(steps: Sequence[Any]) -> bool:
    """Records of two or more fields, of numbers but for one that says when."""
    from plait.processors.series_cells import TIMES

    channels = [value for step in steps for name, value in step.items() if str(name).lower() not in TIMES]
    numbers = sum(_is_number(value) and value is not None for value in channels)
    moments = sum(hasattr(value, "isoformat") for value in channels)
    return numbers > 0 and all(map(_is_number, channels)) if not moments else numbers > 0


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def takes(cell: Any) -> bool:
    """Lists of numbers, pandas' series, tensors, and arrays of one dimension, or of two unless they are images: uint8,
    bool or uint16.
    """
    if type(cell).__name__ == "ndarray":
        kinds = ("uint8", "bool", "uint16")
        if cell.dtype.names:
            return cell.ndim == 1
        return cell.dtype.kind in "fiu" and (cell.ndim == 1 or (cell.ndim == 2 and cell.dtype.name not in kinds))
    return _is_series(cell) or (type(cell).__name__ in ("Series", "Tensor") and cell.ndim in (1, 2))


def store(column: str, row: int, value: Any) -> Any:
    """An array as the lists that a table can hold; a structured one as a list of records."""
    if type(value).__name__ == "Tensor":
        value = value.detach().cpu()
    if _are_records(value) and hasattr(value, "tolist"):
        return [dict(zip(value.dtype.names, step, strict=True)) for step in value.tolist()]
    return value.tolist() if hasattr(value, "tolist") else value


def read(column: str, cell: Any, form: Any = None) -> None:
    """Nothing: whether a cell holds a series shows when it is opened."""


def pieces(cell: Any) -> Sequence[Any]:
    """The path in a cell, or its numbers as the bytes of an array file; none where it is empty or holds no step."""
    if isinstance(cell, list | tuple) or type(cell).__name__ == "ndarray":
        return [Numbers(cell)] if len(cell) else []
    if isinstance(cell, dict):
        return pieces(cell.get("bytes") or cell.get("path"))
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        listed = _listed(cell)
        return pieces([cell[:60]] if listed is None else listed)  # the text itself, to be named when it is opened
    return [] if is_missing(cell) else [plain(cell)]


class Numbers:
    """A cell's numbers as one value that can be looked up; what is wrong with them shows when it is opened."""

    def __init__(self, cell: Any) -> None:
        from plait.processors.series_cells import as_bytes

        self.problem = ""
        try:
            self.content = as_bytes(cell)
        except DataError as error:
            self.problem, self.content = str(error), repr(cell)[:200].encode()

    def __hash__(self) -> int:
        return hash(self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and self.content == other.content

    def __str__(self) -> str:
        return f"series of {len(self.content):,} bytes"


def open_series(piece: Any, media: Media) -> Opened:
    """The bytes of an array or CSV file."""
    if isinstance(piece, Numbers):
        if piece.problem:
            raise DataError(piece.problem)
        return Opened(piece.content)
    return open_file(piece, media, MOST_MEDIA)


def look(opened: Opened) -> Facts:
    """Read a series once: whether its times are in order, and come once each.

    Raises:
        EmptyValue: it holds no number.
        DataError: it can't be read.
    """
    import numpy as np

    from plait.processors.series_cells import read_series

    series = read_series(opened.content)
    odd = None
    if series.untimed:
        odd = Oddity("untimed_steps", "have steps without a time, which are left out", f"{series.untimed} steps")
    elif series.sorted:
        odd = Oddity("unsorted_times", "have times out of order; their steps are sorted", f"{len(series.values)} steps")
    elif series.times is not None and (np.diff(series.times) == 0).any():
        twice = int((np.diff(series.times) == 0).sum())
        odd = Oddity("duplicate_times", "have times that come twice; all their steps are kept", f"{twice} times")
    return Facts(None, odd)


def show(opened: Opened, side: int) -> Shown:
    """How long a series is, and its channels as lines."""
    from plait.processors.series_cells import read_series

    series = read_series(opened.content)
    steps, channels = series.values.shape
    text = f"{steps:,} steps" + (f" of {channels} channels" if channels > 1 else "")
    return Shown(f"{opened.name[-200:]} ({text})" if opened.name else text, sparkline(series.values, side))


def sparkline(values: Any, side: int) -> Any:
    """A PIL image of up to six channels as lines, each in its own range, `side` pixels wide and a third as high."""
    import numpy as np
    from PIL import Image, ImageDraw

    width, height, scale = side, max(8, side // 3), 3
    image = Image.new("RGB", (width * scale, height * scale), "white")
    draw = ImageDraw.Draw(image)
    steps = np.unique(np.linspace(0, len(values) - 1, min(len(values), SPARK)).astype(int))
    for channel, colour in zip(range(values.shape[1]), COLOURS, strict=False):
        line = values[steps, channel]
        there = np.isfinite(line)
        if not there.any():
            continue
        low, high = float(line[there].min()), float(line[there].max())
        x = 2 + steps / max(1, len(values) - 1) * (width - 5)
        y = height - 3 - (line - low) / ((high - low) or 1.0) * (height - 6)
        run: list[tuple[float, float]] = []
        for place in range(len(steps) + 1):  # a gap breaks the line
            if place < len(steps) and there[place]:
                run.append((float(x[place]) * scale, float(y[place]) * scale))
                continue
            if len(run) == 1:
                draw.ellipse((run[0][0] - 3, run[0][1] - 3, run[0][0] + 3, run[0][1] + 3), fill=colour)
            elif run:
                draw.line(run, fill=colour, width=scale)
            run = []
    return image.resize((width, height), Image.Resampling.LANCZOS)


def sample_cells() -> list[Any]:
    """Lists of numbers, with a gap, rows of one, an array's bytes, and an empty cell."""
    from plait.processors.series_cells import as_bytes

    wave = [0.0, 1.0, 4.0, 9.0, 4.0, 1.0, 0.0, 1.0, 4.0]
    return [wave, [*wave, None, 2.0], [[value] for value in [*wave, 5.0]], as_bytes([*wave, 3.0]), None]


SERIES = Modality(
    name="series",
    plural="series",
    short="ser",
    recognise=recognise,
    default="scratch:series_cnn",
    counted="fixed:minirocket",
    encoders=("hf:NAME (PatchTST)", "FOLDER"),
    processors=("series", "minirocket"),
    suffixes=SUFFIXES,
    media=True,
    lists=True,
    shared=True,
    by_length=True,
    pictured=True,
    timed=True,
    noises={
        "sensor_noise": Noise(
            (0.1, 0.25, 0.5, 1.0), "deviation over the channel's", lambda s, level, r, _: with_sensor_noise(s, level, r)
        ),
        "channel_lost": Noise(
            (0.25, 0.5, 0.75), "probability of each channel", lambda s, level, r, _: without_channels(s, level, r)
        ),
        "gap": Noise((0.1, 0.25, 0.5), "share of the time", lambda s, level, r, _: with_gap(s, level, r)),
        "drift": Noise((0.25, 0.5, 1.0, 2.0), "deviations by the end", lambda s, level, r, _: drifted(s, level, r)),
        "clock_jitter": Noise((0.1, 0.25, 0.5), "share of a step", lambda s, level, r, _: with_jitter(s, level, r)),
    },
    takes=takes,
    store=store,
    read=read,
    pieces=pieces,
    open=open_series,
    look=look,
    recur=lambda values: False,
    show=show,
    sample_cells=sample_cells,
)
