"""`plait predict`: a table or one row through a run, to a file or the terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError, unknown
from plait.files.atomic import replacing
from plait.inference.zero_shot import classify, load_aligned
from plait.modalities import MODALITIES
from plait.predictor import Predictor
from plait.tasks import unused
from plait.tasks.answers import OnError


class Writer(Protocol):
    """Takes frames until it is closed."""

    def write(self, frame: pd.DataFrame) -> None: ...

    def close(self) -> None: ...


def predict_table(
    run: Path,
    table: Path,
    output: Path | None,
    keep: Sequence[str],
    as_json: bool = False,
    problems: list[str] | None = None,
    on_error: OnError = "refuse",
    delimiter: str | None = None,
    allow_outside: bool = False,
) -> int:
    """Answer every row, a part at a time; the file appears whole or not at all. Returns the number of rows.

    Cells that can't be used are appended to `problems`, if given; `on_error` decides what becomes of their rows.
    `allow_outside` lets media paths leave the table's folder.

    Raises:
        DataError: the table can't be used, or the output's ending is unknown.
        RunError: the run can't be read, or the output can't be written.
    """
    _writer_for(output, as_json)  # a wrong ending fails before a model is loaded
    predictor = Predictor.load(run, verbose=True, allow_outside=allow_outside)
    frames_of = partial(predictor.predict_frames, problems=problems, on_error=on_error)
    return write_frames(frames_of, table, output, keep, as_json, delimiter)


def write_frames(
    frames_of: Callable[[Table], Iterator[pd.DataFrame]],
    table: Path,
    output: Path | None,
    keep: Sequence[str],
    as_json: bool = False,
    delimiter: str | None = None,
) -> int:
    """Write the answers to a table's rows, a part at a time. Returns the number of rows.

    Raises:
        DataError: the table can't be used, or the output's ending is unknown.
        RunError: the output can't be written.
    """
    writer_of = _writer_for(output, as_json)
    opened = open_table(table, delimiter)
    for name in keep:
        opened.column(name)
    count = 0
    with _target(output) as path:
        writer = writer_of(path)
        try:
            for frame in frames_of(opened):
                rows = frame.iloc[:, 0].to_numpy() - 1
                for position, name in enumerate(dict.fromkeys(keep)):
                    frame.insert(1 + position, _kept_name(name, frame), opened.cells(name, rows))
                writer.write(frame)
                count += len(frame)
        finally:
            writer.close()
    return count


def predict_labels(
    run: Path,
    table: Path,
    labels: Sequence[str],
    templates: Sequence[str],
    output: Path | None,
    keep: Sequence[str],
    as_json: bool = False,
    allow_outside: bool = False,
) -> int:
    """Sort a table's (or a folder's) images into classes, given the names of the classes. Returns the number of rows.

    Raises:
        DataError: the table can't be used, or the output's ending is unknown.
        RecipeError: a template has no place for the label, or there are too few labels.
        RunError: it is not a run of retrieval.
    """
    writer_of = _writer_for(output, as_json)
    opened = open_table(table)
    for name in keep:  # before the model runs
        opened.column(name)
    predictor = load_aligned(str(run), allow_outside=allow_outside)
    frame = classify(predictor, opened, labels, templates)
    kinds = {name: MODALITIES.get(column.modality) for name, column in infer_schema(opened).items()}
    files = [name for name, kind in kinds.items() if kind is not None and kind.media]
    for position, name in enumerate(dict.fromkeys([*files, *keep])):
        cells = opened.cells(name, frame["row"].to_numpy() - 1)
        if not any(isinstance(cell, bytes) for cell in cells[:10]):
            frame.insert(1 + position, _kept_name(name, frame), cells)
    with _target(output) as path:
        writer = writer_of(path)
        try:
            writer.write(frame)
        finally:
            writer.close()
    return len(frame)


def _kept_name(name: str, frame: pd.DataFrame) -> str:
    """The name under which a column of the table stands beside the answers: the truth may have the answer's."""
    return unused(f"{name}_given", frame.columns) if name in frame.columns else name


def _writer_for(output: Path | None, as_json: bool) -> Any:
    """The writer class for a file's ending.

    Raises:
        DataError: the ending is unknown.
    """
    suffix = output.suffix.lower() if output is not None else (".jsonl" if as_json else ".csv")
    if suffix not in WRITERS:
        raise DataError(f"-o {output}: {unknown('ending', suffix, WRITERS)}")
    return WRITERS[suffix]


def predict_row(run: Path, pairs: Sequence[str], allow_outside: bool = False) -> dict[str, Any]:
    """Answer one row, given as `COLUMN=VALUE`; image paths start from the working directory.

    Raises:
        DataError: a pair has no `=`, names a column that the model does not read, or none is given.
        RunError: the run can't be read.
    """
    predictor = Predictor.load(run, allow_outside=allow_outside)
    columns = [column for spec in predictor.inputs_.values() for column in spec.columns]
    values: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise DataError(f"--set {pair}: expected COLUMN=VALUE")
        if name not in columns:
            raise DataError(f"--set {pair}: {unknown('column', name, columns)}")
        values[name] = [value]
    if not values:
        raise DataError(f"--set: no values given; the model reads {', '.join(columns)}")
    table = Table(pa.table(values), None, "--set", untyped=True)
    frame = next(predictor.predict_frames(table))
    [answer] = frame.drop(columns=frame.columns[0]).to_dict(orient="records")  # without the row's number
    return {str(name): value for name, value in answer.items()}


@contextlib.contextmanager
def _target(output: Path | None) -> Iterator[Path | None]:
    """A temporary file beside the output, which becomes the output if all goes well; None for the terminal."""
    if output is None:
        yield None
        return
    with replacing(output) as beside:
        yield beside


class TextWriter:
    """CSV or JSON lines, to a file or stdout."""

    def __init__(self, path: Path | None, lines: bool) -> None:
        self.file = sys.stdout if path is None else path.open("w", encoding="utf-8", newline="")
        self.owned = path is not None
        self.lines = lines
        self.begun = False

    def write(self, frame: pd.DataFrame) -> None:
        if self.lines:
            frame.to_json(self.file, orient="records", lines=True, force_ascii=False)
        else:
            frame.to_csv(self.file, index=False, header=not self.begun)
        self.begun = True

    def close(self) -> None:
        if self.owned:
            self.file.close()


class ParquetWriter:
    """Parquet, a row group a frame."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.writer: pq.ParquetWriter | None = None

    def write(self, frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table.cast(self.writer.schema))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _csv(path: Path | None) -> Writer:
    return TextWriter(path, lines=False)


def _jsonl(path: Path | None) -> Writer:
    return TextWriter(path, lines=True)


WRITERS: dict[str, Any] = {".parquet": ParquetWriter, ".csv": _csv, ".jsonl": _jsonl}
