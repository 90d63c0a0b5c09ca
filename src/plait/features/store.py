"""The store of frozen encoders' outputs: computed once, shared by every run and comparison.

One folder an encoder, named by a hash of all that its outputs depend on. In it three files:

- `meta.json`: what made the rows; written once, in one step.
- `rows.bin`: vectors one after the other, `[tokens, width]`, read through a memory map.
- `index.bin`: 32 bytes a row: 16 of content hash, where its vectors start, how many there are, their checksum.

Both grow at the end only, vectors before index, under a lock. A writer that is killed leaves vectors that no index
entry names, which the next writer writes over; two writers take turns, and the second skips what the first brought.
"""

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Gt, Lt
from filelock import FileLock
from typing_extensions import TypedDict

from plait import former_names
from plait.errors import RunError, StoreError
from plait.files.atomic import sweep, unwritable, why, write_json
from plait.files.cache import cached_folder
from plait.files.reading import checked, read_json

FEATURES = "features"
FORMAT = 1
RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("start", "<u8"), ("tokens", "<u4"), ("check", "<u4")])
DTYPES = {"float16": np.float16, "float32": np.float32}


def features_folder() -> Path:
    """Where stores lie: `features` in the cache folder."""
    return cached_folder(FEATURES)


class Meta(TypedDict):
    """What `meta.json` says of a store, beside what is for people."""

    format: int
    width: Annotated[int, Gt(0), Lt(1 << 31)]
    dtype: Literal["float16", "float32"]


class _Index(NamedTuple):
    """What is there, replaced as a whole, so that threads may look while another row is added."""

    records: np.ndarray
    order: np.ndarray
    high: np.ndarray  # sorted
    rows: np.ndarray
    sound: np.ndarray  # checked in this process


class FeatureStore:
    """Rows of one encoder's outputs.

    Args:
        folder: of this encoder; made where it is absent. One that can't be written is read.
        meta: what made the rows, for people; `width` and `dtype` (`float16` or `float32`) say how they lie.

    Raises:
        StoreError: there is no store, and none can be made.
        RunError: the folder holds rows of another shape or a newer format.

    >>> import tempfile
    >>> from plait.modalities.media import content_key
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(Path(folder) / "ab", {"width": 2, "dtype": "float32"})
    ...     store.add([content_key(b"x")], [np.ones((1, 2), dtype=np.float32)])
    ...     store.positions([content_key(b"y"), content_key(b"x")]).tolist(), store.read(np.array([0]))[0].tolist()
    ([-1, 0], [[[1.0, 1.0]]])
    """

    def __init__(self, folder: Path, meta: Mapping[str, Any]) -> None:
        self.folder = folder
        self.writable = True
        self._lock = FileLock(folder / "lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self.meta = self._agree(meta, _read_meta(folder / "meta.json"))
                os.utime(folder / "meta.json")  # used today
        except (OSError, RunError) as error:
            held = _read_meta(folder / "meta.json")
            if held is None:
                raise StoreError(f"{folder}: the feature store can't be written ({why(error)[0]})") from error
            self.writable = False
            self.meta = self._agree(meta, held)
        self.width = int(self.meta["width"])
        self.dtype = np.dtype(DTYPES[self.meta["dtype"]])
        self.damaged = 0
        self.refresh()

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the folder itself."""
        return FeatureStore, (self.folder, {key: value for key, value in self.meta.items() if key != "format"})

    @classmethod
    def existing(cls, folder: Path) -> "FeatureStore | None":
        """The store of a folder; None where there is none, or one whose description is damaged."""
        meta = _read_meta(folder / "meta.json")
        return None if meta is None else cls(folder, meta)

    def _agree(self, meta: Mapping[str, Any], held: dict[str, Any] | None) -> dict[str, Any]:
        wanted = {"format": FORMAT, **meta}
        if held is None:  # new, or damaged: then no row can be trusted
            for name in ("index.bin", "rows.bin"):
                (self.folder / name).unlink(missing_ok=True)
            write_json(self.folder / "meta.json", wanted)
            return wanted
        for key in ("format", "width", "dtype"):
            if held.get(key) != wanted[key]:
                raise RunError(
                    f"{self.folder}: holds features of another {key} ({held.get(key)}, expected {wanted[key]}); "
                    "remove it with plait features prune"
                )
        return held

    def __len__(self) -> int:
        return len(self._index.records)

    def refresh(self) -> None:
        """Take in what other processes have added."""
        index, rows = self.folder / "index.bin", self.folder / "rows.bin"
        held = np.fromfile(index, dtype=RECORD) if index.exists() else np.empty(0, RECORD)  # a torn last entry is left
        tokens = rows.stat().st_size // (self.width * self.dtype.itemsize) if rows.exists() else 0
        inside = held["start"] + held["tokens"] <= tokens
        good = len(held) if inside.all() else int(np.argmin(inside))
        self.damaged += len(held) - good  # rows.bin was truncated: these are computed again
        records = held[:good]
        order = np.argsort(records["high"], kind="stable")
        shape = (int(tokens), self.width)
        vectors = np.memmap(rows, self.dtype, "r", shape=shape) if tokens else np.empty(shape, self.dtype)
        self._index = _Index(records, order, records["high"][order], vectors, np.zeros(good, dtype=bool))

    def positions(self, keys: Sequence[bytes]) -> np.ndarray:
        """`[N]` int64: where each key's row is, -1 where there is none or its checksum is wrong."""
        index = self._index
        halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        found = np.full(len(halves), -1, dtype=np.int64)
        if len(index.records):
            place = np.searchsorted(index.high, halves[:, 0], side="right") - 1  # of several entries the latest
            candidate = index.order[place.clip(min=0)]
            record = index.records[candidate]
            same = (place >= 0) & (record["high"] == halves[:, 0]) & (record["low"] == halves[:, 1])
            found[same] = candidate[same]
        for position in np.unique(found[found >= 0]):
            if not index.sound[position]:
                index.sound[position] = _sound(index, int(position))
        wrong = found >= 0
        wrong[wrong] = ~index.sound[found[wrong]]
        self.damaged += int(wrong.sum())
        return np.where(wrong, -1, found)

    def read(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[N, T, width]` rows padded to the longest, and `[N, T]` bool: real. Position -1 is a row of padding."""
        index = self._index
        empty = positions < 0
        if not len(index.records):
            return np.zeros((len(positions), 1, self.width), self.dtype), np.zeros((len(positions), 1), dtype=bool)
        records = index.records[positions.clip(min=0)]
        lengths = np.where(empty, 0, records["tokens"]).astype(np.int64)
        longest = max(1, int(lengths.max(initial=1)))
        starts = records["start"].astype(np.int64)
        if longest == 1:
            x, mask = index.rows[starts][:, None], ~empty[:, None]
        else:
            mask = np.arange(longest) < lengths[:, None]
            x = index.rows[np.where(mask, starts[:, None] + np.arange(longest), 0)]
        if not mask.all():
            x[~mask] = 0
        return x, mask

    def add(self, keys: Sequence[bytes], rows: Sequence[np.ndarray]) -> None:
        """Append rows `[T, width]`; keys that are there already are skipped.

        Raises:
            StoreError: the disk is full, or the store can only be read; what was there stays as it was.
        """
        try:
            with self._lock:
                self.refresh()
                new = self.positions(keys) < 0
                fresh = {key: row for key, row, is_new in zip(keys, rows, new, strict=True) if is_new}
                if fresh:
                    self._append(list(fresh), [np.ascontiguousarray(row, self.dtype) for row in fresh.values()])
        except OSError as error:
            raise StoreError(f"{self.folder}: the feature store can't be written ({why(error)[0]})") from error
        self.refresh()

    def _append(self, keys: Sequence[bytes], rows: Sequence[np.ndarray]) -> None:
        records = np.zeros(len(keys), RECORD)
        halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        records["high"], records["low"] = halves[:, 0], halves[:, 1]
        records["tokens"] = [len(row) for row in rows]
        held = self._index.records
        end = int((held["start"] + held["tokens"]).max(initial=0))
        records["start"] = end + np.cumsum(records["tokens"]) - records["tokens"]
        records["check"] = [zlib.crc32(row.tobytes()) for row in rows]
        _write_at(self.folder / "rows.bin", end * self.width * self.dtype.itemsize, b"".join(r.tobytes() for r in rows))
        _write_at(self.folder / "index.bin", len(held) * RECORD.itemsize, records.tobytes())

    def verify(self) -> int:
        """How many rows are damaged: all are read and checked."""
        return sum(not _sound(self._index, position) for position in range(len(self))) + self.damaged


def _sound(index: _Index, position: int) -> bool:
    """Whether a row is what was written."""
    record = index.records[position]
    rows = index.rows[record["start"] : record["start"] + record["tokens"]]
    return zlib.crc32(rows.tobytes()) == record["check"]


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Write data at the end of what counts, and cut off what stood behind it."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _read_meta(path: Path) -> dict[str, Any] | None:
    """None where it is absent or damaged."""
    try:
        held: dict[str, Any] = read_json(path, dict[str, Any])
        checked(held, Meta, path, RunError)
    except RunError:
        return None
    return held


@dataclass(frozen=True)
class StoreInfo:
    """What `plait features list` says of a store."""

    name: str
    encoder: str
    rows: int
    size: int
    used: float


def stores(root: Path | None = None) -> list[tuple[StoreInfo, FeatureStore | None]]:
    """All stores of a folder, the latest used first; None beside one whose files can't be read."""
    root = root or features_folder()
    found: list[tuple[StoreInfo, FeatureStore | None]] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        meta = _read_meta(folder / "meta.json")
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) if folder.is_dir() else 0
        if meta is None or meta["format"] != FORMAT:
            found.append((StoreInfo(folder.name, "damaged or of another version", 0, size, 0.0), None))
            continue
        used = (folder / "meta.json").stat().st_mtime
        store = FeatureStore(folder, meta)
        if store.writable:
            os.utime(folder / "meta.json", (used, used))  # looking is not using
        found.append((StoreInfo(folder.name, str(meta.get("encoder", "")), len(store), size, used), store))
    return sorted(found, key=lambda pair: -pair[0].used)


def prune(before: float, root: Path | None = None, name: str | None = None) -> list[StoreInfo]:
    """Remove stores last used before a moment (seconds since 1970) and damaged ones, or the one of a name.

    Raises:
        RunError: one can't be removed.
    """
    removed = []
    for info, store in stores(root):
        if (name is None and (store is None or info.used < before)) or info.name == name:
            folder = (root or features_folder()) / info.name
            try:
                sweep(folder)
                for file in ("meta.json", "index.bin", "rows.bin", "lock"):  # nothing else is ours
                    (folder / file).unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()
            except OSError as error:
                raise unwritable(folder, error) from error
            removed.append(info)
    return removed


__getattr__ = former_names(__name__, {"content_key": "plait.modalities.media.content_key"})
