"""The store of frozen encoders' outputs: computed once, shared by every run and comparison.

One folder an encoder, named by a hash of all that its outputs depend on. In it three files, or four:

- `meta.json`: what made the rows; written once, in one step.
- `rows.bin`: vectors one after the other, `[tokens, width]`, read through a memory map.
- `where.bin`: where each of these tokens lies, `[tokens, 2 or 4]` float32, if the encoder says so.
- `index.bin`: 32 bytes a row: 16 of content hash, where its vectors start, how many there are, their checksum.

All grow at the end only, vectors before index, under a lock. A writer that is killed leaves vectors that no index
entry names, which the next writer writes over; two writers take turns, and the second skips what the first brought.
"""

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

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
GROWING = ("index.bin", "rows.bin", "where.bin")
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
    where: NotRequired[Literal[0, 2, 4]]


class _Index(NamedTuple):
    """What is there, replaced as a whole, so that threads may look while another row is added."""

    records: np.ndarray
    order: np.ndarray
    high: np.ndarray  # sorted
    rows: np.ndarray
    where: np.ndarray  # as long as rows, of width 0 where nothing is known
    sound: np.ndarray  # checked in this process


class FeatureStore:
    """Rows of one encoder's outputs.

    Args:
        folder: of this encoder; made where it is missing. One that can't be written is read.
        meta: what made the rows, for people; `width`, `dtype` (`float16` or `float32`) and `where` (numbers that say
            where a token lies, 2 or 4; without it none are kept) say how they lie.

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
            existing = _read_meta(folder / "meta.json")
            if existing is None:
                raise StoreError(f"{folder}: the feature store can't be written ({why(error)[0]})") from error
            self.writable = False
            self.meta = self._agree(meta, existing)
        self.width = int(self.meta["width"])
        self.dtype = np.dtype(DTYPES[self.meta["dtype"]])
        self.where_width = int(self.meta.get("where", 0))
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

    def _agree(self, meta: Mapping[str, Any], existing: dict[str, Any] | None) -> dict[str, Any]:
        wanted = {"format": FORMAT, **meta}
        if existing is None:  # new, or damaged: then no row can be trusted
            for name in GROWING:
                (self.folder / name).unlink(missing_ok=True)
            write_json(self.folder / "meta.json", wanted)
            return wanted
        for key in ("format", "width", "dtype", "where"):
            if existing.get(key, 0) != wanted.get(key, 0):
                values = f"{existing.get(key)}, expected {wanted.get(key)}"
                raise RunError(
                    f"{self.folder}: holds features of another {key} ({values}); remove it with plait features prune"
                )
        return existing

    def __len__(self) -> int:
        return len(self._index.records)

    def refresh(self) -> None:
        """Take in what other processes have added."""
        index = self.folder / "index.bin"
        entries = np.fromfile(index, dtype=RECORD) if index.exists() else np.empty(0, RECORD)  # a torn last one is left
        vectors = _mapped(self.folder / "rows.bin", self.dtype, self.width)
        where = _mapped(self.folder / "where.bin", np.dtype(np.float32), self.where_width)
        tokens = min(len(vectors), len(where)) if self.where_width else len(vectors)
        inside = entries["start"] + entries["tokens"] <= tokens
        good = len(entries) if inside.all() else int(np.argmin(inside))
        self.damaged += len(entries) - good  # a file was truncated: these are computed again
        records = entries[:good]
        order = np.argsort(records["high"], kind="stable")
        self._index = _Index(records, order, records["high"][order], vectors, where, np.zeros(good, dtype=bool))

    def positions(self, keys: Sequence[bytes]) -> np.ndarray:
        """`[N]` int64: where each key's row is, -1 where there is none or its checksum is wrong."""
        index = self._index
        halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        positions = np.full(len(halves), -1, dtype=np.int64)
        if len(index.records):
            place = np.searchsorted(index.high, halves[:, 0], side="right") - 1  # of several entries the latest
            candidate = index.order[place.clip(min=0)]
            record = index.records[candidate]
            same = (place >= 0) & (record["high"] == halves[:, 0]) & (record["low"] == halves[:, 1])
            positions[same] = candidate[same]
        for position in np.unique(positions[positions >= 0]):
            if not index.sound[position]:
                index.sound[position] = _sound(index, int(position))
        wrong = positions >= 0
        wrong[wrong] = ~index.sound[positions[wrong]]
        self.damaged += int(wrong.sum())
        return np.where(wrong, -1, positions)

    def read(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Rows padded to the longest; position -1 is a row of padding.

        Returns:
            `[N, T, width]` vectors, `[N, T]` bool: real, and `[N, T, 2 or 4]` float32: where they lie, if that is kept.
        """
        index = self._index
        empty = positions < 0
        if not len(index.records):
            x, mask = np.zeros((len(positions), 1, self.width), self.dtype), np.zeros((len(positions), 1), dtype=bool)
            return x, mask, np.zeros((len(positions), 1, self.where_width), np.float32) if self.where_width else None
        records = index.records[positions.clip(min=0)]
        lengths = np.where(empty, 0, records["tokens"]).astype(np.int64)
        longest = max(1, int(lengths.max(initial=1)))
        starts = records["start"].astype(np.int64)
        mask = np.arange(longest) < lengths[:, None]
        places = np.where(mask, starts[:, None] + np.arange(longest), 0)
        x = index.rows[places]
        where = index.where[places] if self.where_width else None
        if not mask.all():
            for padded in (x, where):
                if padded is not None:
                    padded[~mask] = 0
        return x, mask, where

    def add(self, keys: Sequence[bytes], rows: Sequence[np.ndarray], where: Sequence[np.ndarray] = ()) -> None:
        """Append rows `[T, width]`, and where their tokens lie; keys that are there already are skipped.

        Raises:
            StoreError: the disk is full, or the store can only be read; what was there stays as it was.
        """
        try:
            with self._lock:
                self.refresh()
                new = self.positions(keys) < 0
                if self.where_width == 0:
                    where = [np.empty((len(row), 0), np.float32) for row in rows]
                every = zip(keys, rows, where, new, strict=True)
                fresh = {key: (row, places) for key, row, places, is_new in every if is_new}
                if fresh:
                    vectors = [np.ascontiguousarray(row, self.dtype) for row, _ in fresh.values()]
                    places = [np.ascontiguousarray(places, np.float32) for _, places in fresh.values()]
                    self._append(list(fresh), vectors, places)
        except OSError as error:
            raise StoreError(f"{self.folder}: the feature store can't be written ({why(error)[0]})") from error
        self.refresh()

    def _append(self, keys: Sequence[bytes], rows: Sequence[np.ndarray], where: Sequence[np.ndarray]) -> None:
        records = np.zeros(len(keys), RECORD)
        halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        records["high"], records["low"] = halves[:, 0], halves[:, 1]
        records["tokens"] = [len(row) for row in rows]
        before = self._index.records
        end = int((before["start"] + before["tokens"]).max(initial=0))
        records["start"] = end + np.cumsum(records["tokens"]) - records["tokens"]
        records["check"] = [_checksum(row, places) for row, places in zip(rows, where, strict=True)]
        _write_at(self.folder / "rows.bin", end * self.width * self.dtype.itemsize, b"".join(r.tobytes() for r in rows))
        if self.where_width:
            bytes_before = end * self.where_width * np.dtype(np.float32).itemsize
            _write_at(self.folder / "where.bin", bytes_before, b"".join(places.tobytes() for places in where))
        _write_at(self.folder / "index.bin", len(before) * RECORD.itemsize, records.tobytes())

    def verify(self) -> int:
        """How many rows are damaged: all are read and checked."""
        return sum(not _sound(self._index, position) for position in range(len(self))) + self.damaged


def _sound(index: _Index, position: int) -> bool:
    """Whether a row is what was written."""
    record = index.records[position]
    tokens = slice(record["start"], record["start"] + record["tokens"])
    where = index.where[tokens] if len(index.where) else np.empty(0, np.float32)
    return _checksum(index.rows[tokens], where) == record["check"]


def _checksum(row: np.ndarray, where: np.ndarray) -> int:
    return zlib.crc32(where.tobytes(), zlib.crc32(row.tobytes()))


def _mapped(path: Path, dtype: np.dtype, width: int) -> np.ndarray:
    """The whole rows of a file, `[tokens, width]`; a torn last one is left."""
    tokens = path.stat().st_size // (width * dtype.itemsize) if width and path.exists() else 0
    return np.memmap(path, dtype, "r", shape=(tokens, width)) if tokens else np.empty((0, width), dtype)


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Write data at the end of what counts, and cut off what stood behind it."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _read_meta(path: Path) -> dict[str, Any] | None:
    """None where it is missing or damaged."""
    try:
        meta: dict[str, Any] = read_json(path, dict[str, Any])
        checked(meta, Meta, path, RunError)
    except RunError:
        return None
    return meta


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
    listed: list[tuple[StoreInfo, FeatureStore | None]] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        meta = _read_meta(folder / "meta.json")
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) if folder.is_dir() else 0
        if meta is None or meta["format"] != FORMAT:
            listed.append((StoreInfo(folder.name, "damaged or of another version", 0, size, 0.0), None))
            continue
        used = (folder / "meta.json").stat().st_mtime
        store = FeatureStore(folder, meta)
        if store.writable:
            os.utime(folder / "meta.json", (used, used))  # looking is not using
        listed.append((StoreInfo(folder.name, str(meta.get("encoder", "")), len(store), size, used), store))
    return sorted(listed, key=lambda pair: -pair[0].used)


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
                for file in ("meta.json", *GROWING, "lock"):  # nothing else is ours
                    (folder / file).unlink(missing_ok=True)
                if not any(folder.iterdir()):
                    folder.rmdir()
            except OSError as error:
                raise unwritable(folder, error) from error
            removed.append(info)
    return removed


__getattr__ = former_names(__name__, {"content_key": "plait.modalities.media.content_key"})
