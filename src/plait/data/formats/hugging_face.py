"""Hugging Face `datasets`: what `save_to_disk` wrote, and names on the hub."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from plait.data.table import Table
from plait.encoders.weights import online
from plait.errors import DataError, PlaitError, import_extra
from plait.files.reading import MOST_MEDIA, read_bytes
from plait.modalities import MODALITIES, Modality, resolve_media

ROWS = 256
DATASETS = ("datasets.arrow_dataset.Dataset", "datasets.dataset_dict.DatasetDict")
SPLITS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "dev": "val", "test": "test"}


def is_saved_dataset(path: Path) -> bool:
    """A folder that `save_to_disk` wrote."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def read_saved_dataset(path: Path) -> Table:
    """A saved Dataset or DatasetDict → its columns: images as bytes, classes by name, and `split`.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: the folder is damaged.
    """
    datasets = import_extra("datasets", "datasets")
    try:
        dataset = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: the saved dataset can't be read ({str(error)[:160]})") from error
    return _table(_parts(dataset), path, str(path))


def is_dataset(dataset: Any) -> bool:
    """A `datasets.Dataset` or `DatasetDict` in memory, recognised without importing the library."""
    kinds = type(dataset).__mro__
    return any(f"{kind.__module__}.{kind.__qualname__}" in DATASETS for kind in kinds)


def read_dataset(dataset: Any) -> Table:
    """A `datasets.Dataset` or `DatasetDict` in memory; the caller made it, so its paths are taken as they are."""
    return _table(_parts(dataset), None, "the dataset")


def read_hub_dataset(name: str) -> Table:
    """A dataset of the hub by `OWNER/NAME`; its code is never run.

    Raises:
        MissingExtra: `datasets` is not installed.
        PlaitError: no hub answers.
    """
    datasets = import_extra("datasets", "datasets")
    if not online():
        raise PlaitError(
            f"hf:{name}: no hub answers. Save the dataset where one does (save_to_disk), copy the folder here and give "
            "its path"
        )
    try:
        return _table(_parts(datasets.load_dataset(name)), Path.cwd(), f"hf:{name}")
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"hf:{name}: the dataset can't be read ({str(error).splitlines()[0][:160]})") from error


def _parts(dataset: Any) -> dict[str | None, Any]:
    return dict(dataset) if isinstance(dataset, Mapping) else {None: dataset}


def _table(parts: Mapping[str | None, Any], root: Path | None, source: str) -> Table:
    first = next(iter(parts.values()))
    plan = {name: _column(name, feature) for name, feature in first.features.items()}
    fields = [(name, kind) for name, (kind, _) in plan.items() if kind is not None]
    split = len(parts) > 1 and "split" not in plan
    schema = pa.schema([*fields, *([("split", pa.string())] if split else [])])

    def batches() -> Iterator[pa.RecordBatch]:
        for name, part in parts.items():
            raw = part.with_format("arrow")
            for start in range(0, len(part), ROWS):
                block = raw[start : start + ROWS]
                arrays = [_array(block.column(column), plan[column][1], kind, root) for column, kind in fields]
                if split:
                    arrays.append(pa.array([SPLITS.get(str(name), str(name))] * len(block), pa.string()))
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Table.from_batches(schema, batches(), root, source)


def _column(name: str, feature: Any) -> tuple[pa.DataType | None, Any]:
    """How a column is kept, and what its numbers stand for; None for what no type of plait covers."""
    kind = type(feature).__name__
    media = next((modality for modality in MODALITIES.values() if modality.feature == kind), None)
    if media is not None:
        return pa.binary(), media
    if kind == "ClassLabel":
        return pa.string(), list(feature.names)
    if kind == "Value":
        return feature.pa_type, None
    if kind in ("List", "Sequence", "LargeList") and str(getattr(feature.feature, "dtype", "")) == "string":
        return pa.list_(pa.string()), None
    return None, None


def _array(column: Any, meaning: Any, kind: pa.DataType, root: Path | None) -> pa.Array:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(meaning, Modality):
        return pa.array([_bytes(value, root, meaning.name) for value in values.to_pylist()], pa.binary())
    if isinstance(meaning, list):
        return pa.array([None if v is None or v < 0 else meaning[v] for v in values.to_pylist()], pa.string())
    return values.cast(kind)


def _bytes(value: Any, root: Path | None, what: str) -> bytes | None:
    if value is None or value.get("bytes") is not None:
        return None if value is None else value["bytes"]
    try:
        return read_bytes(resolve_media(root, str(value.get("path"))), most=MOST_MEDIA)
    except DataError as error:
        raise DataError(
            f"{error}. A dataset names this {what} and does not hold it; write it again with save_to_disk where the "
            "file is, which puts files into it"
        ) from error
