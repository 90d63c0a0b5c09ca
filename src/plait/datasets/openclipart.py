"""Open Clip Art: drawings with titles and keywords, sorted into folders by what they show."""

import html
import re
from pathlib import Path

from plait.datasets.packages import copy_files, debian_package, write_table
from plait.errors import DataError
from plait.processors.image import image_size

ART = "usr/share/openclipart"
GENERATED = ("shapes/stars", "computer/icons")  # thousands that differ in a number, and themes of one style
LARGEST = 16_000_000  # pixels; a few have hundreds of millions
HEAD = 200_000  # bytes of a drawing in which its description is looked for


def write_openclipart(folder: Path, images: Path | None = None, drawings: Path | None = None) -> list[Path]:
    """`openclipart.csv`: picture, title, keywords (`;` between them), kind (the outermost folder), group (the folder),
    with the images. Generated stars and icon themes are left out, images without a title, and
    the few of more than 16 million pixels.

    Args:
        folder: where to.
        images, drawings: folders of PNG images and of the SVG drawings that describe them; None for the Debian
            packages' (public domain nearly all).
    """
    images = images or debian_package("openclipart-png", f"/{ART}/png") / ART / "png"
    drawings = drawings or debian_package("openclipart-svg", f"/{ART}/svg") / ART / "svg"
    rows, files = [], []
    for path in sorted(images.rglob("*.png")):
        place = path.relative_to(images)
        drawing = drawings / place.with_suffix(".svg")
        group = place.parent.as_posix()
        if group.startswith(GENERATED) or len(place.parts) < 2 or not drawing.is_file():
            continue
        title, keywords = describe(drawing)
        if title and _usable(path):
            name = Path("pictures", place)
            files.append((path, folder / name))
            rows.append((name.as_posix(), title, ";".join(keywords), place.parts[0], group))
    copy_files(files)
    return [write_table(folder / "openclipart.csv", rows, ["picture", "title", "keywords", "kind", "group"])]


def _usable(path: Path) -> bool:
    """Not larger than anybody wants, nor damaged."""
    try:
        width, height = image_size(path)
    except DataError:
        return False
    return width * height <= LARGEST


def describe(drawing: Path) -> tuple[str, list[str]]:
    """Title and keywords in the description that a drawing carries."""
    with drawing.open("rb") as file:
        text = file.read(HEAD).decode("utf-8", errors="replace")
    match = re.search(r"<metadata.*?</metadata>", text, re.DOTALL)
    metadata = match.group() if match else text
    titles = re.findall(r"<dc:title>\s*([^<]+?)\s*</dc:title>", metadata)
    keywords = re.findall(r"<rdf:li>\s*([^<]+?)\s*</rdf:li>", metadata)
    return _clean(titles[0]) if titles else "", [word for word in map(_clean, keywords) if word]


def _clean(text: str) -> str:
    return " ".join(html.unescape(text).replace(";", ",").split())
