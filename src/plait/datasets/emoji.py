"""Emoji: images with names and tags."""

import json
from pathlib import Path
from typing import Any

from plait.datasets.packages import copy_files, npm_package, write_table

PICTURES, NAMES = ("emoji-datasource-google", "16.0.0"), ("emojibase-data", "17.0.0")


def write_emoji(folder: Path, images: Path | None = None, names: Path | None = None) -> list[Path]:
    """`emoji.csv`: picture (64 pixels), name, tags (English, `;` between them), group and subgroup, with the images.

    Args:
        folder: where to.
        images, names: folders of the npm packages `emoji-datasource-google` (Apache-2.0) and `emojibase-data` (MIT);
            None to download them.
    """
    images = images or npm_package(*PICTURES)
    names = names or npm_package(*NAMES)
    entry_of_code = _names(names)
    rows, files = [], []
    for entry in _listed(images):
        source = images / "img" / "google" / "64" / entry["image"]
        entry_with_name = entry_of_code.get(_code(entry["unified"]))
        if entry_with_name is not None and source.exists():
            name = f"pictures/{entry['image']}"
            files.append((source, folder / name))
            tags = ";".join(entry_with_name.get("tags", []))
            rows.append((name, entry_with_name["label"], tags, entry["category"], entry["subcategory"]))
    copy_files(files)
    return [write_table(folder / "emoji.csv", rows, ["picture", "name", "tags", "group", "subgroup"])]


def emoji_by_code(images: Path, names: Path) -> dict[str, tuple[Path, str]]:
    """Code points → the image's file and the name, of emoji that have both."""
    named, found = _names(names), {}
    for entry in _listed(images):
        code, source = _code(entry["unified"]), images / "img" / "google" / "64" / entry["image"]
        if code in named and source.exists():
            found[code] = (source, str(named[code]["label"]))
    return found


def _listed(images: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((images / "emoji.json").read_text(encoding="utf-8"))
    return listed


def _names(names: Path) -> dict[str, dict[str, Any]]:
    data = json.loads((names / "en" / "data.json").read_text(encoding="utf-8"))
    return {_code(entry["hexcode"]): entry for entry in data}


def _code(unified: str) -> str:
    """Code points without the selector that asks for a coloured image, which lists write or leave out."""
    return "-".join(part for part in unified.upper().split("-") if part != "FE0F")
