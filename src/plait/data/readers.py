"""Files → `Table`: CSV, TSV, Parquet, JSONL, folders of pictures, and the formats of `plait.data.formats`."""

import csv
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from plait.data.formats import (
    FORMATS,
    is_chat,
    is_flickr,
    is_saved_dataset,
    is_shards,
    read_chats,
    read_flickr_csv,
    read_hub_dataset,
    read_saved_dataset,
    read_shards,
)
from plait.data.table import Table
from plait.errors import DataError, nearest
from plait.processors.image import picture_suffixes
from plait.reading import parse_json

EMPTY = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]
SPLIT_FOLDERS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val", "test": "test"}
ROWS = 16_384  # a record batch


def open_table(source: str | Path | pd.DataFrame | Table) -> Table:
    """Open a table by its name: `.csv`, `.tsv`, `.parquet`, `.jsonl`, a folder of pictures, or a pandas frame.

    And captioned pictures: COCO's and Karpathy's `.json`, Flickr30k's `.token` and CSV, WebDataset's `.tar` shards
    (`train-{000..012}.tar`), a folder that Hugging Face's `save_to_disk` wrote, `hf:OWNER/NAME` of the hub.

    Raises:
        DataError: it is absent, of an unknown kind, damaged, or has no rows.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, pd.DataFrame):
        table = Table.from_frame(source)
    else:
        path = Path(source).expanduser()
        reader = _reader(path)
        try:
            table = reader(path)
        except (pa.ArrowInvalid, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: the table is damaged ({str(error).splitlines()[0][:200]})") from error
        except OSError as error:
            raise DataError(f"{path}: the file can't be read ({error.strerror or error})") from error
    if not table.columns:
        raise DataError(f"{table.source}: the table has no columns")
    if not len(table):
        raise DataError(f"{table.source}: the table has no rows")
    return table


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
        return read_saved_dataset if is_saved_dataset(path) else read_image_folder
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: expected a file or a folder, got a pipe or a device")
    ending = ".token" if ".token" in path.name else path.suffix.lower()
    known = {**READERS, **FORMATS}
    if ending not in known:
        raise DataError(
            f"{path}: expected a table ({', '.join(known)}) or a folder of pictures, "
            f"got a {path.suffix or 'file without an ending'}"
        )
    return known[ending]


def read_csv(path: Path) -> Table:
    """A comma-separated file; every cell is text until the schema says otherwise, so mixed columns survive.

    A first line without a comma but with tabs (open_clip's `filepath<tab>title`) or bars is cut there instead.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
    delimiter = next((mark for mark in ",\t|" if mark in first), ",")
    if is_flickr(next(csv.reader([first], delimiter=delimiter), [])):
        return read_flickr_csv(path, delimiter)
    return _read_delimited(path, delimiter)


def read_tsv(path: Path) -> Table:
    """A tab-separated file."""
    return _read_delimited(path, "\t")


def _read_delimited(path: Path, delimiter: str) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter=delimiter), [])
    if not names:
        raise DataError(f"{path}: the file is empty; expected a line of column names")
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise DataError(f"{path}: the column name {sorted(twice)[0]!r} stands twice; rename one")
    _check_quotes(path)
    schema = pa.schema([(name, pa.string()) for name in names])
    reader = pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),  # with threads, errors do not name the row
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=True, null_values=EMPTY
        ),
    )
    return Table.from_batches(reader.schema, reader, path.parent, str(path))


def _check_quotes(path: Path) -> None:
    """An unclosed quote would swallow the rest of the file as one cell."""
    opened_at, line_number, quotes = 0, 0, 0
    with path.open("rb") as file:
        for line in file:
            line_number += 1
            count = line.count(b'"')
            if count % 2:
                quotes += 1
                opened_at = line_number if quotes % 2 else opened_at
    if quotes % 2:
        raise DataError(f'{path}: a quote (") that opens at about line {opened_at} is never closed; close or double it')


def read_parquet(path: Path) -> Table:
    """A Parquet file, streamed; dictionary columns are unpacked."""
    file = pa.parquet.ParquetFile(path)
    schema = pa.schema([(field.name, _plain(field.type)) for field in file.schema_arrow])
    batches = (_with_dates(batch.cast(schema), path) for batch in file.iter_batches(batch_size=ROWS))
    return Table.from_batches(schema, batches, path.parent, str(path))


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that a column is kept in: of dictionaries and views what they stand for."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return {"string_view": pa.string(), "binary_view": pa.binary()}.get(str(kind), kind)


def _with_dates(batch: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    """The batch, whose dates Python can hold."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            try:
                pc.min_max(column).as_py()
            except (ValueError, OverflowError) as error:  # a zone that nobody knows, the year 60,000
                raise DataError(f"{path}: column {name!r} holds dates that can't be read ({error})") from error
    return batch


def read_jsonl(path: Path) -> Table:
    """One JSON object a line. A column of mixed kinds becomes text; a list of texts stays a list."""
    kinds: dict[str, set[str]] = {}
    for row in _json_rows(path):
        if not kinds and is_chat(row):
            return read_chats(path, list(_json_rows(path)))
        for name, value in row.items():
            kinds.setdefault(name, set()).add(_json_kind(value))
    types = {name: _arrow_type(seen - {"null"}) for name, seen in kinds.items()}
    schema = pa.schema(list(types.items()))

    def batches() -> Iterator[pa.RecordBatch]:
        held: list[dict[str, Any]] = []
        for row in _json_rows(path):
            held.append({name: _json_value(row.get(name), kind) for name, kind in types.items()})
            if len(held) == ROWS:
                yield pa.RecordBatch.from_pylist(held, schema)
                held = []
        yield pa.RecordBatch.from_pylist(held, schema)

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
        return (
            "number" if isinstance(value, float) or abs(value) <= 2**53 else "text"
        )  # an id of many digits keeps them
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


def read_image_folder(path: Path) -> Table:
    """Hugging Face `imagefolder`: `[split/]label/picture.png`, or pictures beside `metadata.csv` or `.jsonl`.

    Gives the columns `image`, `label` where no metadata says otherwise, and `split` where there are split folders.

    Raises:
        DataError: there is no picture below the folder, or metadata without `file_name`.
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
        raise DataError(f"{path}: there is no picture ({', '.join(sorted(picture_suffixes())[:5])}, …) in this folder")
    table = Table.from_frame(frame, root=path)
    table.source = str(path)
    return table


def _folder_rows(folder: Path, root: Path) -> pd.DataFrame:
    metadata = [p for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet") if (p := folder / name).is_file()]
    if metadata:
        frame = READERS[metadata[0].suffix](metadata[0]).data.to_pandas()
        if "file_name" not in frame.columns:
            raise DataError(f"{metadata[0]}: expected a column file_name, got {', '.join(map(str, frame.columns))}")
        if "image" in frame.columns:
            raise DataError(f"{metadata[0]}: has a column image beside file_name, which becomes it; rename it")
        below = folder.relative_to(
            root
        )  # a name that leads out of the folder stays so, and is refused where it is read
        names = [(below / name).as_posix() if isinstance(name, str) else None for name in frame.pop("file_name")]
        frame.insert(0, "image", pd.Series(names, dtype=object))
        return frame
    pictures = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in picture_suffixes()]
    rows: dict[str, list[str]] = {"image": [str(p.relative_to(root)) for p in pictures]}
    if any(p.parent != folder for p in pictures):
        rows["label"] = [p.parent.name for p in pictures]
    return pd.DataFrame(rows)


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
