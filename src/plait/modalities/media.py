"""Media files, whose paths must stay in the table's folder. Every file that a table, data set or run names is opened
through this module.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from plait.errors import DataError
from plait.files.reading import open_plain, read_bytes
from plait.modalities.sample import file_names
from plait.values import is_missing

LIST_SEPARATOR = ";"
ENOUGH = 0.9  # share of a column's cells that must be files of a kind
IN_MEMORY = 32_000_000  # bytes; larger files are read bit by bit, from where they are


def content_key(content: bytes) -> bytes:
    """16 bytes that stand for a value's content, whatever its path.

    >>> content_key(b"a red bird") == content_key(b"a red bird"), len(content_key(b""))
    (True, 16)
    """
    return hashlib.blake2b(content, digest_size=16).digest()


def file_key(path: Path) -> bytes:
    """`content_key` of what a file holds, a piece at a time.

    Raises:
        DataError: it can't be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    with open_plain(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.digest()


@dataclass(frozen=True)
class Media:
    """Where the cells of a table look for files.

    Args:
        root: the table's folder; the working directory where the table has none (a pandas frame).
        allow_outside: paths may leave the folder.
    """

    root: Path | None
    allow_outside: bool = False


@dataclass(frozen=True)
class Opened:
    """A value that was opened.

    Args:
        content: what the column's processor takes: bytes, a text, a number; of a large file its path.
        name: what people call it: its path as the cell gives it, or nothing.
    """

    content: Any
    name: str = ""


class FileBytes(bytes):
    """The bytes of a file, with its path, so that messages can name it.

    >>> FileBytes.of(b"GIF89a", "/data/bird.gif").path
    '/data/bird.gif'
    """

    path: str

    @classmethod
    def of(cls, content: bytes, path: object) -> Self:
        file_bytes = cls(content)
        file_bytes.path = str(path)
        return file_bytes


def open_file(piece: Any, media: Media, most: int) -> Opened:
    """One value of a media cell: the bytes themselves, or those of the file that it names.

    Args:
        piece: a path or a file's bytes.
        media: where to look.
        most: bytes that a file may have.

    Raises:
        DataError: it is neither, or names a file that is missing, too large, or outside of the table's folder.

    >>> open_file(b"GIF89a", Media(None), 100).content
    b'GIF89a'
    """
    if isinstance(piece, bytes):
        return Opened(piece)
    if not isinstance(piece, str):
        raise DataError(f"{str(piece)[:60]}: expected a path or a file's bytes, got {type(piece).__name__}")
    path = resolve_media(media.root, piece, media.allow_outside)
    return Opened(FileBytes.of(read_bytes(path, most=most), path), piece)


def open_long_file(piece: Any, media: Media, most: int) -> Opened:
    """As `open_file`, for recordings: a file of more than 32 MB is left where it is, and its path is the content.

    Raises:
        DataError: it is neither, or names a file that is missing, too large, or outside of the table's folder.
    """
    if isinstance(piece, str):
        path = resolve_media(media.root, piece, media.allow_outside)
        with open_plain(path) as file:
            size = file.seek(0, io.SEEK_END)
        if size > most:
            raise DataError(f"{path}: expected at most {most:,} bytes, the file holds {size:,}; cut it")
        if size > IN_MEMORY:
            return Opened(path, piece)
    return open_file(piece, media, IN_MEMORY)  # reading allocates as much as a file may have


def are_media(values: Sequence[Any], suffixes: frozenset[str], begins: Callable[[bytes], bool]) -> bool:
    """Whether nine of ten cells are files of some kind: by their names' endings, or by how their bytes begin.

    Args:
        values: cells that are not empty: paths, bytes, Hugging Face's `{bytes, path}`, lists of them.
        suffixes: of such files.
        begins: the first bytes of a file → it is one of them.

    >>> are_media(["a.jpg;b.jpg", {"bytes": None, "path": "c.JPG"}], frozenset({".jpg"}), lambda data: False)
    True
    """
    return sum(_is_of(value, suffixes, begins) for value in values) >= ENOUGH * len(values)


def _is_of(value: Any, suffixes: frozenset[str], begins: Callable[[bytes], bool]) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_of(item, suffixes, begins) for item in value)
    if isinstance(value, dict):
        content = value.get("bytes") or value.get("path")
        return content is not None and _is_of(content, suffixes, begins)
    if isinstance(value, bytes):
        return begins(value[:32])
    return file_names([value], suffixes)


def split_cell(value: Any) -> Sequence[Any]:
    """The values of a media cell: a list, `a.jpg;b.jpg`, one path, bytes, or Hugging Face's {bytes, path}.

    >>> split_cell("a.jpg; b.jpg"), split_cell(None)
    (['a.jpg', 'b.jpg'], [])
    """
    if isinstance(value, list | tuple) or type(value).__name__ == "ndarray":
        return [part for item in value for part in split_cell(item)]
    if isinstance(value, dict):
        is_file = "bytes" in value or "path" in value
        return split_cell(value.get("bytes") or value.get("path")) if is_file else [str(value)[:80]]
    if isinstance(value, str):
        return [part.strip() for part in value.split(LIST_SEPARATOR) if part.strip()]
    return [] if is_missing(value) else [value]


def resolve_media(root: Path | None, value: str, allow_outside: bool = False) -> Path:
    """A path in a cell → a path on disk, relative to the table's folder. Links are followed before it is checked.

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
    if root is None and Path(value).is_absolute():  # of a frame that the caller's own code made
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
