"""WebDataset: tar shards of samples, `key.jpg` beside `key.txt`, read as a stream."""

import json
import math
import re
import tarfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa

from plait.data.table import Table
from plait.errors import DataError
from plait.files.reading import MOST_MEDIA, parse_json
from plait.modalities import MODALITIES, media_with

ROWS = 256  # samples held in memory at once: images are large
MOST_SHARDS = 100_000  # that a pattern may name
TEXTS = {"txt": "caption", "text": "caption", "caption": "caption", "cls": "label"}


def is_shards(name: str) -> bool:
    """A tar file, or several by a list in braces: `train-{000..012}.tar`, `{a,b}.tar`."""
    return name.endswith(".tar")


def expand(pattern: str) -> list[str]:
    """The names that a pattern with braces stands for.

    >>> expand("s-{08..10}.tar"), expand("{a,b}.tar")
    (['s-08.tar', 's-09.tar', 's-10.tar'], ['a.tar', 'b.tar'])
    """
    pieces = re.split(r"\{([^{}]*)\}", pattern)
    choices = []
    for place, piece in enumerate(pieces):
        span = re.fullmatch(r"(\d+)\.\.(\d+)", piece) if place % 2 else None
        if span:
            first, last = span.groups()
            if max(len(first), len(last)) > 9 or not 0 <= int(last) - int(first) < MOST_SHARDS:
                raise DataError(f"{pattern[:80]}: {{{piece[:40]}}} names none, or more than {MOST_SHARDS:,} shards")
            choices.append([str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)])
        else:
            choices.append(piece.split(",") if place % 2 else [piece])
    if math.prod(map(len, choices)) > MOST_SHARDS:
        raise DataError(f"{pattern[:80]}: names more than {MOST_SHARDS:,} shards")
    return ["".join(parts) for parts in product(*choices)]


def read_shards(path: Path) -> Table:
    """Shards → `image`, `audio` (bytes), `caption` (`.txt`), `label` (`.cls`), and the keys of `.json`; a row a sample.

    Files of other kinds are left out. Samples are streamed to a temporary file: memory does not grow with the shards.

    Raises:
        DataError: a shard is missing, cut off, no tar, or holds no sample that can be used.
    """
    shards = [Path(name).expanduser() for name in expand(str(path))]
    for shard in shards:
        if not _is_file(shard):
            raise DataError(f"{shard}: there is no such shard" + (f" (of {path})" if len(shards) > 1 else ""))
    names = _columns(shards)
    if not names:
        raise DataError(f"{path}: holds no sample with an image, a sound, .txt, .cls or .json file")
    media = _media()
    schema = pa.schema([(name, pa.binary() if name in media else pa.string()) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        pending: list[dict[str, Any]] = []
        for shard in shards:
            for sample in _samples(shard):
                pending.append({name: sample.get(name) for name in names})
                if len(pending) == ROWS:
                    yield pa.RecordBatch.from_pylist(pending, schema)
                    pending = []
        yield pa.RecordBatch.from_pylist(pending, schema)

    return Table.from_batches(schema, batches(), shards[0].parent, str(path))


def _media() -> list[str]:
    """Columns that hold files; each is named after its modality."""
    return [name for name, modality in MODALITIES.items() if modality.suffixes]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long
        return False


def _columns(shards: list[Path]) -> list[str]:
    """The columns that the first samples have; keys that appear only later are left out."""
    columns: dict[str, None] = {"key": None}
    for number, sample in enumerate(_samples(shards[0])):
        columns |= dict.fromkeys(sample)
        if number >= 1000:
            break
    order = ["key", *_media(), "caption", "label"]
    names = [name for name in order if name in columns] + sorted(columns.keys() - set(order))
    return names if len(names) > 1 else []


def _samples(shard: Path) -> Iterator[dict[str, Any]]:
    """One dict a sample: files with one key stand together in a shard."""
    key, whole = "", 0
    sample: dict[str, Any] = {}
    try:
        for path, data in _files(shard):
            folder, _, name = path.rpartition("/")
            stem, _, ending = name.partition(".")
            place = f"{folder}/{stem}" if folder else stem
            if place != key and len(sample) > 1:
                yield sample
                whole += 1
            if place != key:
                key, sample = place, {"key": place}
            sample |= _fields(shard, path, ending.lower(), data)
    except _Damaged as error:
        raise DataError(
            f"{shard}: the shard is cut off or damaged after {whole:,} whole samples ({error.__cause__}); download it "
            "again, or leave it out of the list"
        ) from error
    if len(sample) > 1:
        yield sample


class _Damaged(Exception):
    """Tarfile could not read a file to its end."""


def _files(shard: Path) -> Iterator[tuple[str, bytes]]:
    """Path and contents of each file in a shard.

    Raises:
        _Damaged: from whatever tarfile raises; for headers that make no sense also TypeError, ValueError and others.
    """
    try:
        with tarfile.open(shard, "r|*", encoding="utf-8", errors="replace") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                if member.size > MOST_MEDIA:
                    raise DataError(f"{shard}: {member.name} is larger than {MOST_MEDIA:,} bytes")
                opened = archive.extractfile(member)
                data = b"" if opened is None else opened.read()
                if len(data) != member.size:
                    raise tarfile.ReadError("unexpected end of data")
                yield member.name, data
    except DataError:
        raise
    except Exception as error:
        raise _Damaged from error


def _fields(shard: Path, name: str, ending: str, data: bytes) -> dict[str, Any]:
    """Column → value that a file of a sample gives."""
    media = media_with(f".{ending}")
    if media is not None:
        return {media: data}
    if ending in TEXTS:
        return {TEXTS[ending]: data.decode("utf-8", errors="replace").strip() or None}
    if ending != "json":
        return {}
    values = parse_json(data, f"{shard}: {name[:80]}")
    if not isinstance(values, dict):
        return {}
    texts = {
        k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in values.items() if v is not None
    }
    return {(f"json_{k}" if k in ("key", *_media()) else k): v for k, v in texts.items()}
