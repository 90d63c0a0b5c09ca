"""Where caches lie, and what stands in for one that can't be written."""

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """`$PLAIT_CACHE`, else plait's part of the user's cache folder."""
    cache = os.environ.get("PLAIT_CACHE")
    base = Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "plait"
    return base.expanduser()


_stand_ins: dict[Path, tempfile.TemporaryDirectory[str]] = {}  # of parts of the cache that can't be written


def cached_folder(part: str) -> Path:
    """A part of the cache folder, such as `features`; what stands in for it where it could not be written."""
    folder = cache_folder() / part
    return Path(_stand_ins[folder].name) if folder in _stand_ins else folder


def stand_in(part: str) -> Path | None:
    """A temporary folder for a part of the cache that can't be written; it goes with this process.

    None where there can't be one, or where it is what can't be written.
    """
    folder = cache_folder() / part
    if folder in _stand_ins:
        return None
    try:
        _stand_ins[folder] = tempfile.TemporaryDirectory(prefix=f"plait-{part}-")
    except OSError:
        return None
    return Path(_stand_ins[folder].name)
