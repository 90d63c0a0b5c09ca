"""Tux Paint stamps: small images with captions, sorted into folders by what they show."""

from collections.abc import Iterator
from pathlib import Path

from plait.datasets.packages import copy_files, debian_package, write_table

STAMPS = "usr/share/tuxpaint/stamps"


def write_tuxpaint(folder: Path, stamps: Path | None = None) -> list[Path]:
    """`tuxpaint.csv`: picture, caption (English), kind (the outermost folder: animals, food, …) and group (its
    subfolder), with the images. Stamps that are SVG alone, or have no caption, are left out.

    Args:
        folder: where to.
        stamps: the stamps' folder; None for the Debian package's (GPL-2: the images stay under it).
    """
    if stamps is None:
        stamps = debian_package("tuxpaint-stamps-default", f"/{STAMPS}") / STAMPS
    rows, images = [], []
    for path, caption, parts in _captioned(stamps):
        name = Path("pictures", *parts)
        images.append((path, folder / name))
        rows.append((name.as_posix(), caption, parts[0], "/".join(parts[:-1])))
    copy_files(images)
    return [write_table(folder / "tuxpaint.csv", rows, ["picture", "caption", "kind", "group"])]


def write_tuxpaint_speech(folder: Path, stamps: Path | None = None, language: str = "fr") -> list[Path]:
    """`tuxpaint-speech.csv`: as `tuxpaint.csv`, with the description spoken in French; empty where there is none.

    Args:
        folder: where to.
        stamps: the stamps' folder; None for the Debian package's (GPL-2: images and sounds stay under it).
        language: of the spoken descriptions.
    """
    if stamps is None:
        stamps = debian_package("tuxpaint-stamps-default", f"/{STAMPS}") / STAMPS
    rows, files = [], []
    for path, caption, parts in _captioned(stamps):
        picture, speech = Path("pictures", *parts), ""
        files.append((path, folder / picture))
        spoken = path.with_name(f"{path.stem}_desc_{language}.ogg")
        if spoken.exists():
            place = Path("speech", *parts).with_suffix(".ogg")
            files.append((spoken, folder / place))
            speech = place.as_posix()
        rows.append((picture.as_posix(), caption, speech, parts[0], "/".join(parts[:-1])))
    copy_files(files)
    columns = ["picture", "caption", "speech", "kind", "group"]
    return [write_table(folder / "tuxpaint-speech.csv", rows, columns)]


def _captioned(stamps: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Image, English caption and path below the stamps' folder, of stamps that have all of them."""
    for path in sorted(stamps.rglob("*.png")):
        caption = _caption(path.with_suffix(".txt"))
        parts = path.relative_to(stamps).parts
        if caption and len(parts) > 1 and not path.stem.endswith(("_mirror", "_flip", "_mirror_flip")):
            yield path, caption, parts


def _caption(path: Path) -> str:
    """The first line, which is English; later ones begin with a language: `fr.utf8=Un toucan.`"""
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0].strip() if lines else ""
