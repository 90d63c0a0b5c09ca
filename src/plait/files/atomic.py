"""Files that appear whole or not at all, and folders that one process has to itself: all that plait writes goes here.

A process can be killed at any moment, two can be started at once, a disk can be full. So a file is written under a name
beside it and renamed; a folder is locked while something is made in it, by a lock that ends with its process; and what
a killed process left half written is removed by the next one.
"""

import errno
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from plait.errors import RunError

LOCK = ".plait.lock"
TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.tmp")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OLD = 3600.0  # seconds after which nobody writes to a temporary file any more, whoever has its number now
ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EFBIG: "files may not be so large here (ulimit -f)",
    errno.EACCES: "choose another folder",
    errno.EPERM: "choose another folder",
    errno.EROFS: "choose another folder",
    errno.ENOTDIR: "choose another folder",
    errno.EEXIST: "choose another folder",
    errno.EISDIR: "a folder has that name; choose another",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def why(error: Exception) -> tuple[str, int | None]:
    """The reason of a failed read or write, in the system's words, and its number where it has one.

    Libraries in Rust (safetensors, Lance) name the number in the text of errors of their own.

    >>> why(OSError(28, "No space left on device")) == why(RuntimeError("IO: No space left on device (os error 28)"))
    True
    """
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        match = re.search(r"\(os error (\d+)\)", str(error))
        number = int(match[1]) if match else None
    message = (str(error) or type(error).__name__).splitlines()[0][:200]
    return (message, None) if number is None else (os.strerror(number), number)


def unwritable(path: Path, error: Exception, advice: str = "") -> RunError:
    """The error where a file or folder can't be written: the reason, what helps against it, and then `advice`.

    >>> print(unwritable(Path("run"), OSError(28, "No space left on device")))
    run: can't be written (No space left on device); free some space
    """
    reason, number = why(error)
    hints = [ADVICE[number], *([advice] if advice else [])] if number in ADVICE else []
    return RunError("; ".join([f"{path}: can't be written ({reason})", *hints]))


@contextmanager
def replacing(path: Path, advice: str = "", tidy: bool = True) -> Iterator[Path]:
    """A name to write under; the file takes its place in one step if all goes well, else the old one stays.

    Args:
        path: of the file; its folder is made where it is missing.
        advice: what to do where it can't be written, added where something helps against the reason.
        tidy: remove what killed processes left of this file; not worth it where thousands are written.

    Raises:
        RunError: the disk is full, or the folder not writable.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as beside:
    ...         _ = beside.write_text("whole")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    _refuse_null(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if tidy:
            _remove_strays(path.parent, path.name)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise unwritable(path, error, advice) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        RunError: it can't be written; the old file stays.
    """
    with replacing(path) as beside:
        # Half a character, which a table may hold, has no UTF-8: it stands as \\udc80, which JSON reads back.
        beside.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write a value as JSON, whole or not at all; a number that is none (NaN) is null, which every program reads.

    Raises:
        RunError: it can't be written; the old file stays.
    """
    write_text(path, json.dumps(_strict(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def _strict(value: Any) -> Any:
    """A value in JSON's own kinds."""
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


@contextmanager
def claimed(
    folder: Path,
    kept: Callable[[], bool] = lambda: True,
    new: bool = False,
    waiting: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Have a folder to oneself: made where it is missing, locked, and rid of what killed processes left half written.

    Args:
        folder: to have.
        kept: asked where the work fails: is there something worth keeping? If not, all that was made is removed, so
            that the corrected command finds the folder as it was.
        new: it must not exist yet.
        waiting: told where another process has the folder, which is then waited for; None to be refused.

    Raises:
        FileExistsError: it exists, and should be new.
        RunError: another process has it, or it can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as base:
    ...     with claimed(Path(base) / "a"), claimed(Path(base) / "a"):
    ...         pass
    Traceback (most recent call last):
        ...
    plait.errors.RunError: ...: another process works in this folder; wait for it, or choose another folder
    """
    _refuse_null(folder)
    # What was there, so that a failure can leave it as it was: `missing` folders, and entries from `before`.
    missing: list[Path] = []
    before: set[str] = set()
    try:
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        if new:
            folder.mkdir(parents=True)
        elif folder.is_dir():
            before = {entry.name for entry in folder.iterdir()}
        lock = _locked(folder, waiting)
        if LOCK in before:  # else it may be a folder of somebody else's, about to be refused
            sweep(folder)
    except FileExistsError as error:
        if new:
            raise
        raise unwritable(folder, error) from error
    except OSError as error:
        _remove_empty(missing)
        raise unwritable(folder, error) from error
    try:
        yield
    except BaseException:
        if not kept():
            for entry in folder.iterdir():
                if entry.name not in before:
                    _remove(entry)
            _remove_empty(missing)
        raise
    finally:
        lock.release()


def _refuse_null(path: Path) -> None:
    if "\0" in str(path):
        raise unwritable(path, ValueError("a name holds no null character"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # something else is in it by now
            folder.rmdir()


def _locked(folder: Path, waiting: Callable[[str], None] | None) -> FileLock:
    while True:  # until the file that is locked is the one in the folder: another process may have removed it
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except FileNotFoundError:  # its last owner removed it
            continue
        except Timeout:
            if waiting is None:
                raise RunError(
                    f"{folder}: another process works in this folder; wait for it, or choose another folder"
                ) from None
            waiting(f"{folder}: waiting for another process that works in this folder")
            with suppress(FileNotFoundError):
                lock.acquire()
        if lock.is_locked and (folder / LOCK).exists():
            return lock
        lock.release()


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a folder of plait's own, and in the folders in it."""
    _remove_strays(folder, ours=True)  # in a container every process has the number of the last one
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            _remove_strays(inner, ours=True)


def _remove_strays(folder: Path, name: str | None = None, ours: bool = False) -> None:
    for path in folder.iterdir():
        match = TEMPORARY.fullmatch(path.name)
        if match is None or name not in (None, match["name"]):
            continue
        process = int(match["process"])
        running = not ours if process == os.getpid() else _is_running(process)
        with suppress(OSError):  # another process was quicker, or it is not ours to remove
            if not running or time.time() - path.stat().st_mtime > OLD:
                _remove(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True
