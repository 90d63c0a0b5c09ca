"""Files → `Table`: CSV, TSV, Parquet, JSONL, folders of images or sounds, and the formats of `plait.data.formats`."""

import csv
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from plait import console
from plait.data.delimited import delimiter_of, read_delimited
from plait.data.formats import (
    FORMATS,
    is_chat,
    is_dataset,
    is_flickr,
    is_saved_dataset,
    is_shards,
    read_chats,
    read_dataset,
    read_flickr_csv,
    read_hub_dataset,
    read_saved_dataset,
    read_shards,
)
from plait.data.frames import frame_of
from plait.data.table import Table, usual_type
from plait.errors import DataError, nearest
from plait.files.reading import parse_json
from plait.modalities import MODALITIES, in_words, media_with

SPLIT_FOLDERS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val", "test": "test"}
ROWS = 16_384  # rows of a record batch


Openable: TypeAlias = str | Path | pd.DataFrame | Table | pa.Table | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def open_table(source: Openable, delimiter: str | None = None) -> Table:
    """Open a table by its name: `.csv`, `.tsv`, `.parquet`, `.jsonl`, a folder of images or sounds; or what is one.

    That is a pandas frame, an Arrow table, a `datasets.Dataset`, a list of dicts (rows), a dict of columns, or a dict
    of one row. And captioned images: COCO's and Karpathy's `.json`, Flickr30k's `.token` and CSV, WebDataset's
    `.tar` shards (`train-{000..012}.tar`), a folder that Hugging Face's `save_to_disk` wrote, `hf:OWNER/NAME` of the
    hub.

    Args:
        source: the table.
        delimiter: the mark that cuts the lines of CSV and TSV; None to look at the header.

    Raises:
        DataError: it is missing, of an unknown kind, damaged, or has no rows.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        table = _open_path(Path(source).expanduser(), delimiter)
    elif isinstance(source, pd.DataFrame):
        table = Table.from_frame(source)
    elif isinstance(source, pa.Table):
        table = Table(source, None, "the table")
    elif is_dataset(source):
        table = read_dataset(source)
    elif isinstance(source, Mapping | list | tuple):
        table = Table.from_frame(frame_of(source), source="the rows given")
    else:
        raise DataError(f"expected a path, a frame, a table or a list of dicts, got {type(source).__name__}")
    if not table.columns:
        raise DataError(f"{table.source}: the table has no columns")
    if not len(table):
        raise DataError(f"{table.source}: the table has no rows")
    return table


def _open_path(path: Path, delimiter: str | None) -> Table:
    reader = _reader(path)
    try:
        return reader(path, delimiter) if reader in (read_csv, read_tsv) else reader(path)
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the table is damaged ({str(error).splitlines()[0][:200]})") from error
    except OSError as error:
        raise DataError(f"{path}: the file can't be read ({error.strerror or error})") from error


def _reader(path: Path) -> Callable[[Path], Table]:
    """What reads a file or folder, by its name and what is in it."""
    if str(path).startswith("hf:"):
        return lambda name: read_hub_dataset(str(name).removeprefix("hf:"))
    if is_shards(path.name):
        return read_shards
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: there is no such file or folder{nearest(path.name, siblings)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)[:200]}: can't be read ({getattr(error, 'strerror', None) or error})") from error
    if stat.S_ISDIR(mode):
        return read_saved_dataset if is_saved_dataset(path) else read_media_folder
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: expected a file or a folder, got a pipe or a device")
    ending = ".token" if ".token" in path.name else path.suffix.lower()
    readers = {**READERS, **FORMATS}
    if ending not in readers:
        raise DataError(
            f"{path}: expected a table ({', '.join(readers)}) or a folder of images or sounds, "
            f"got a {path.suffix or 'file without an ending'}"
        )
    return readers[ending]


def read_csv(path: Path, delimiter: str | None = None) -> Table:
    """A comma-separated file; every cell is text until the schema says otherwise, so mixed columns survive.

    A first line without a comma but with tabs (open_clip's `filepath<tab>title`), bars or semicolons is cut there.
    """
    mark = delimiter_of(path, delimiter)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    if is_flickr(next(csv.reader([first], delimiter=mark), [])):
        return read_flickr_csv(path, mark)
    return read_delimited(path, mark)


def read_tsv(path: Path, delimiter: str | None = None) -> Table:
    """A tab-separated file."""
    return read_delimited(path, "\t" if delimiter is None else delimiter_of(path, delimiter))


def read_parquet(path: Path) -> Table:
    """A Parquet file, streamed; dictionary columns are unpacked, and known as categories."""
    file = pa.parquet.ParquetFile(path)
    names = file.schema_arrow.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: two columns have the name {twice!r}; rename one")
    categorical = [field.name for field in file.schema_arrow if pa.types.is_dictionary(field.type)]
    schema = pa.schema([(field.name, usual_type(field.type)) for field in file.schema_arrow])
    batches = (batch.cast(schema) for batch in file.iter_batches(batch_size=ROWS))
    return Table.from_batches(schema, batches, path.parent, str(path), categorical=categorical)


def read_jsonl(path: Path) -> Table:
    """One JSON object a line. A column of mixed kinds becomes text; a list of texts stays a list."""
    # The file is read twice: first for the columns and their kinds, then for the rows.
    kinds: dict[str, set[str]] = {}
    for row in _json_rows(path):
        if not kinds and is_chat(row):
            return read_chats(path, list(_json_rows(path)))
        for name, value in row.items():
            kinds.setdefault(name, set()).add(_json_kind(value))
    types = {name: _arrow_type(kinds_seen - {"null"}) for name, kinds_seen in kinds.items()}
    schema = pa.schema(list(types.items()))

    def batches() -> Iterator[pa.RecordBatch]:
        pending: list[dict[str, Any]] = []
        for row in _json_rows(path):
            pending.append({name: _json_value(row.get(name), kind) for name, kind in types.items()})
            if len(pending) == ROWS:
                yield pa.RecordBatch.from_pylist(pending, schema)
                pending = []
        yield pa.RecordBatch.from_pylist(pending, schema)

    return Table.from_batches(schema, batches(), path.parent, str(path))


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = parse_json(line, f"{path}: line {number}")
            if not isinstance(row, dict):
                raise DataError(f'{path}: line {number}: expected an object {{"column": value}}, got {line[:40]!r}')
            yield row


def _json_kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        # An integer that a float can't hold is an id of many digits, and keeps them as text.
        return "number" if isinstance(value, float) or abs(value) <= 2**53 else "text"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "list"
    return "text"


def _arrow_type(kinds: set[str]) -> pa.DataType:
    if kinds == {"number"}:
        return pa.float64()
    if kinds == {"bool"}:
        return pa.bool_()
    return pa.list_(pa.string()) if kinds == {"list"} else pa.string()


def _json_value(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_string(kind):
        return float(value) if pa.types.is_floating(kind) and value is not None else value
    if isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False)


def read_media_folder(path: Path) -> Table:
    """Hugging Face `imagefolder` and `audiofolder`: `[split/]label/FILE`, or files beside `metadata.csv` or `.jsonl`.

    Gives the columns `image` and `audio`, `label` where no metadata says otherwise, and `split` where there are split
    folders.

    Raises:
        DataError: there is no image or sound below the folder, or metadata without `file_name`.
    """
    splits = {p: SPLIT_FOLDERS[p.name.lower()] for p in sorted(path.iterdir()) if p.name.lower() in SPLIT_FOLDERS}
    parts = []
    folders: dict[Path, str | None] = {**splits} or {path: None}
    for folder, split in folders.items():
        part = _folder_rows(folder, path)
        if split is not None:
            part["split"] = split
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    if not len(frame):
        suffixes = {name: sorted(modality.suffixes)[:5] for name, modality in MODALITIES.items() if modality.suffixes}
        wanted = " nor ".join(f"{name} ({', '.join(endings)}, …)" for name, endings in suffixes.items())
        raise DataError(f"{path}: there is no {wanted} in this folder")
    table = Table.from_frame(frame, root=path)
    table.source = str(path)
    return table


def _folder_rows(folder: Path, root: Path) -> pd.DataFrame:
    metadata = [p for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet") if (p := folder / name).is_file()]
    if metadata:
        frame = READERS[metadata[0].suffix](metadata[0]).data.to_pandas()
        if "file_name" not in frame.columns:
            raise DataError(f"{metadata[0]}: expected a column file_name, got {', '.join(map(str, frame.columns))}")
        media_names = [media_with(Path(name).suffix) for name in frame["file_name"] if isinstance(name, str)]
        media = next((name for name in media_names if name is not None), next(iter(MODALITIES)))
        if media in frame.columns:
            raise DataError(f"{metadata[0]}: has a column {media} beside file_name, which becomes it; rename it")
        below = folder.relative_to(root)  # a name that leads out of the folder is refused where it is read
        names = [(below / name).as_posix() if isinstance(name, str) else None for name in frame.pop("file_name")]
        frame.insert(0, media, pd.Series(names, dtype=object))
        return frame
    files = [p for p in sorted(folder.rglob("*")) if media_with(p.suffix) is not None]
    visible = [p for p in files if not is_hidden(p.relative_to(folder))]
    if len(visible) < len(files):
        some = next(p for p in files if is_hidden(p.relative_to(folder)))
        what = in_words(str(media_with(some.suffix)))
        count = len(files) - len(visible)
        console.say(f"{folder}: {count:,} hidden {what} are left out, such as {some.relative_to(folder)}")
    modalities = [str(media_with(p.suffix)) for p in visible]
    rows: dict[str, list[Any]] = {
        one: [str(p.relative_to(root)) if name == one else None for p, name in zip(visible, modalities, strict=True)]
        for one in dict.fromkeys(modalities)
    }
    if any(p.parent != folder for p in visible):
        rows["label"] = [p.parent.name for p in visible]
    return pd.DataFrame(rows)


def is_hidden(path: Path) -> bool:
    """Whether a path below a given folder is what programs leave behind, such as `.ipynb_checkpoints` and `__MACOSX`.

    >>> is_hidden(Path("cat/._3.jpg")), is_hidden(Path("__MACOSX/cat/3.jpg")), is_hidden(Path("cat/3.jpg"))
    (True, True, False)
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
