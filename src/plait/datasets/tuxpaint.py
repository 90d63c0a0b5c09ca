"""Tux Paint stamps: small images with captions, sorted into folders by what they show."""

from pathlib import Path

from plait.datasets.packages import copy_pictures, debian_package, write_table

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
    for path in sorted(stamps.rglob("*.png")):
        caption = _caption(path.with_suffix(".txt"))
        parts = path.relative_to(stamps).parts
        if caption and len(parts) > 1 and not path.stem.endswith(("_mirror", "_flip", "_mirror_flip")):
            name = Path("pictures", *parts)
            images.append((path, folder / name))
            rows.append((name.as_posix(), caption, parts[0], "/".join(parts[:-1])))
    copy_pictures(images)
    return [write_table(folder / "tuxpaint.csv", rows, ["picture", "caption", "kind", "group"])]


def _caption(path: Path) -> str:
    """The first line, which is English; later ones begin with a language: `fr.utf8=Un toucan.`"""
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[0].strip() if lines else ""
