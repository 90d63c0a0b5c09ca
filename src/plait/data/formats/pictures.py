"""Where the images are that a list of captions names."""

from collections.abc import Sequence
from pathlib import Path

from plait.errors import DataError
from plait.modalities import resolve_media

USUAL = ("", "images", "Images", "pictures", "flickr30k-images", "flickr30k_images")


def locate(listing: Path, names: Sequence[str], folders: Sequence[str] = ()) -> tuple[Path, Path]:
    """The folder that a table's paths start from, and the one that holds the images, relative to it.

    Looked for beside the list and beside its folder (COCO keeps `annotations/` and `train2017/` side by side), in the
    folders that the list names and in those that are usual.

    Args:
        listing: the file of captions.
        names: some image names.
        folders: that the list says images are in.

    Raises:
        DataError: no such folder holds the first image.
    """
    for start in (listing.parent, listing.parent.parent):
        for name in [*folders, *(f"images/{folder}" for folder in folders), *USUAL]:
            if names and _holds(start, Path(name) / names[0]):
                return start, Path(name)
    looked = ", ".join(f"{name or '.'}/" for name in [*folders, *USUAL][:6])
    raise DataError(
        f"{listing}: the image {names[0] if names else ''} is not near (looked into {looked} beside the file and one "
        "folder up); put the folder of the images beside the file, under the name images"
    )


def _holds(start: Path, name: Path) -> bool:
    """Whether a folder holds a file; one that lies outside of the folder counts as missing."""
    try:
        return resolve_media(start, str(name)).is_file()
    except (DataError, OSError, ValueError):  # a name that is no path: too long, half a character
        return False


def counted(listing: Path, what: str, examples: Sequence[object]) -> str:
    """A line about entries that have no counterpart: how many, and which are the first.

    >>> counted(Path("a.json"), "captions name no picture", [7, 8])
    'a.json: 2 captions name no picture (such as 7, 8); they are left out'
    """
    some = ", ".join(str(example) for example in list(examples)[:5])
    return f"{listing}: {len(examples):,} {what} (such as {some}); they are left out"
