"""What was found, in a terminal: a table, and thumbnails where the terminal can draw."""

import base64
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from plait import console
from plait.errors import DataError
from plait.files.atomic import replacing
from plait.search.index import SIDE, Index
from plait.search.searcher import Hit

ACROSS, LABEL = 5, 16  # thumbnails a line of a contact sheet; pixels of the number under each
WIDEST = 60  # characters of a cell
CHUNK = 4096  # bytes that kitty takes at once


def weights_in(text: str) -> tuple[float, float]:
    """`0.7,0.3` → both numbers.

    Raises:
        DataError: it is no pair of numbers.
    """
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise DataError(f"--weights {text}: expected two numbers, of words and image: 0.7,0.3") from error
    return first, second


def show_hits(hits: Sequence[Hit], index: Index) -> None:
    """Print a table; above it thumbnails, in kitty's or iTerm2's protocol where the terminal has one."""
    protocol = image_protocol(os.environ) if sys.stdout.isatty() else None
    if protocol is not None and any(hit.thumbnail for hit in hits):
        sys.stdout.write(in_protocol(protocol, contact_sheet(hits)) + "\n")
    images = set(index.meta["pictures"])
    names = [name for name in index.columns if name not in images][:4] + sorted(images)[:1]
    rows = [[rank, f"{hit.score:.3f}", *(_cell(hit.row[name]) for name in names)] for rank, hit in enumerate(hits, 1)]
    console.show(console.table("", ["", "score", *names], rows, ["", "score"]))


def _cell(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def image_protocol(environment: Mapping[str, str]) -> str | None:
    """`kitty`, `iterm2` or None, by what terminals say of themselves.

    >>> image_protocol({"TERM": "xterm-kitty"}), image_protocol({"TERM_PROGRAM": "WezTerm"}), image_protocol({})
    ('kitty', 'iterm2', None)
    """
    if environment.get("TERM") == "xterm-kitty" or "KITTY_WINDOW_ID" in environment:
        return "kitty"
    if environment.get("TERM_PROGRAM") == "ghostty":
        return "kitty"
    return "iterm2" if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm") else None


def in_protocol(protocol: str, image: bytes) -> str:
    """A PNG as the escape sequence that draws it."""
    data = base64.b64encode(image).decode()
    if protocol == "iterm2":
        return f"\033]1337;File=inline=1;size={len(image)}:{data}\a"
    parts = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    sequences = []
    for number, part in enumerate(parts):
        head = "a=T,f=100," if number == 0 else ""
        sequences.append(f"\033_G{head}m={int(number + 1 < len(parts))};{part}\033\\")
    return "".join(sequences)


def contact_sheet(hits: Sequence[Hit]) -> bytes:
    """A PNG of the thumbnails, numbered, the best first."""
    lines = max(1, -(-len(hits) // ACROSS))
    sheet = Image.new("RGB", (ACROSS * (SIDE + 8), lines * (SIDE + LABEL + 8)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, hit in enumerate(hits):
        x, y = place % ACROSS * (SIDE + 8) + 4, place // ACROSS * (SIDE + LABEL + 8) + 4
        if hit.thumbnail:
            with Image.open(io.BytesIO(hit.thumbnail)) as small:
                sheet.paste(small, (x + (SIDE - small.width) // 2, y + (SIDE - small.height) // 2))
        draw.text((x + 2, y + SIDE), f"{place + 1}  {hit.score:.3f}", fill="#444")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def write_sheet(path: Path, hits: Sequence[Hit]) -> None:
    """Write the contact sheet, whole or not at all.

    Raises:
        RunError: it can't be written.
    """
    with replacing(path) as beside:
        beside.write_bytes(contact_sheet(hits))
