"""Media paths stay in the table's folder. Whatever a table, a data set or a run names is opened through here."""

from pathlib import Path
from typing import Any

from plait.errors import DataError


def media_of(root: Path | None, value: Any, allow_outside: bool = False) -> Path | bytes:
    """One value of a media cell → its bytes where it holds them, else the path that it names (see `resolve_media`).

    Raises:
        DataError: it is neither, or names a file outside the table's folder.

    >>> media_of(Path("/data"), b"GIF89a")
    b'GIF89a'
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise DataError(f"{str(value)[:60]}: expected a path or a file's bytes, got {type(value).__name__}")
    return resolve_media(root, value, allow_outside)


def resolve_media(root: Path | None, value: str, allow_outside: bool = False) -> Path:
    """A path in a cell → a path on disk, relative to the table's folder. Links are followed before it is judged.

    Args:
        root: the table's folder; the working directory where the table has none (a pandas frame).
        value: the cell.
        allow_outside: let it leave the folder. A table without a folder was made by the caller's own code, so its
            absolute paths are taken as they are.

    Raises:
        DataError: it leaves the folder, is a URL, or can't be a path.
    """
    if "://" in value:
        raise DataError(f"{value}: expected a path, got a URL; download the files first")
    if "\0" in value:
        raise DataError(f"{value!r}: a path can't hold a null character")
    folder = (root or Path.cwd()).resolve()
    path = folder / value
    if root is None and Path(value).is_absolute():
        return path
    try:
        target = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, half a character
        raise DataError(f"{value[:200]!r}: can't be a path ({str(error)[:80]})") from error
    if not allow_outside and not target.is_relative_to(folder):
        raise DataError(
            f"{value}: the path leaves the table's folder; move the file, or allow it with data.allow_outside=true "
            "(--allow-outside of predict, evaluate, index and generate)"
        )
    return path
