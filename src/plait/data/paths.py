"""Media paths stay in the table's folder."""

from pathlib import Path

from plait.errors import DataError


def resolve_media(root: Path | None, value: str, allow_outside: bool = False) -> Path:
    """A path in a cell → a path on disk, relative to the table's folder.

    Args:
        root: the table's folder; the working directory where the table has none (a pandas frame).
        value: the cell.
        allow_outside: let it leave the folder. A table without a folder was made by the caller's own code, so its
            absolute paths are taken as they are.

    Raises:
        DataError: it leaves the folder, or is a URL.
    """
    if "://" in value:
        raise DataError(f"{value}: expected a path, got a URL; download the files first")
    if "\0" in value:
        raise DataError(f"{value!r}: a path can't hold a null character")
    folder = (root or Path.cwd()).resolve()
    path = folder / value
    if root is None and Path(value).is_absolute():
        return path
    if not allow_outside and not path.resolve().is_relative_to(folder):
        raise DataError(
            f"{value}: the path leaves the table's folder; move the file, or allow it with data.allow_outside=true"
        )
    return path
