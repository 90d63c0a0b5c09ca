"""CSV and its kin: which mark cuts a file's lines, and whether its quotes are quotes.

Every cell stays text until the schema says otherwise, so that mixed columns survive.
"""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from plait import console
from plait.data.table import Table
from plait.errors import DataError

EMPTY = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]
ROWS = 16_384  # rows of a record batch
RECORDS = 100  # that must have as many `;` as the header
LONGEST = 1_000  # lines that a quoted cell may span where others of the file hold lone quotes
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|", "space": " "}

csv.field_size_limit(2**31 - 1)  # a cell may hold a whole text


def read_delimited(path: Path, delimiter: str) -> Table:
    """A file cut by a mark, with a line of column names.

    Raises:
        DataError: it has no names, or one twice; a line has too few or too many cells.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter=delimiter), [])
    if not names:
        raise DataError(f"{path}: the file is empty; expected a line of column names")
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise DataError(f"{path}: the column name {sorted(twice)[0]!r} stands twice; rename one")
    schema = pa.schema([(name, pa.string()) for name in names])
    quotes = _quotes(path, delimiter, len(names))
    if quotes == "mixed":
        batches = _by_hand(path, delimiter, schema)
        return Table.from_batches(schema, batches, path.parent, str(path), untyped=True)
    reader = pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),  # with threads, errors do not name the row
        parse_options=pa.csv.ParseOptions(
            delimiter=delimiter, quote_char=False if quotes == "letters" else '"', newlines_in_values=quotes == "quotes"
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=True, null_values=EMPTY
        ),
    )
    return Table.from_batches(reader.schema, reader, path.parent, str(path), untyped=True)


def delimiter_of(path: Path, given: str | None = None) -> str:
    """The mark that cuts a `.csv` file: as given, else the first of comma, tab and bar that the header holds, else `;`.

    A semicolon, which Excel writes where the comma is the decimal mark, is taken where the header holds none of the
    others outside quotes and the first records all have as many as it; a line in the terminal then says so.

    Raises:
        DataError: the given one is no single character.
    """
    if given is not None:
        mark = NAMES.get(given, given)
        if len(mark) != 1 or mark in '"\r\n':
            raise DataError(f"--delimiter {given}: expected one character, such as ';', or tab")
        return mark
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        bare = "".join(header.split('"')[::2])  # what stands outside quotes
        usual = next((mark for mark in ",\t|" if mark in bare), None)
        if usual is not None or ";" not in bare:
            return usual or ","
        file.seek(0)
        records = itertools.islice(csv.reader(file, delimiter=";"), RECORDS)
        try:
            widths = {len(record) for record in records if record}
        except csv.Error:
            widths = set()
    if len(widths) != 1:
        return ","
    console.say(f"{path}: its lines are cut by ';' (another: --delimiter)")
    return ";"


def _quotes(path: Path, delimiter: str, width: int) -> str:
    """What the file's quotes are: `none` that matter, `quotes` around cells, `letters` within texts, or `mixed`.

    They are letters where some line can't be read with quotes, and every line has as many cells as the header if they
    mean nothing: so an inch sign or a lone quote neither swallows rows nor makes a good file be refused.
    """
    # `alone`: each line can be read by itself. `letters`: each line has all its cells if quotes mean nothing.
    alone, letters, quoted = True, True, False
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line in file:
            if '"' not in line:
                continue
            quoted = True
            alone = alone and _record(line, delimiter) is not None
            letters = letters and line.rstrip("\r\n").count(delimiter) + 1 == width
            if not alone and not letters:
                break
    if not quoted or alone:
        return "none"
    if letters:
        return "letters"
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            whole = all(len(record) in (0, width) for record in csv.reader(file, delimiter=delimiter, strict=True))
        except csv.Error:
            whole = False
    return "quotes" if whole else "mixed"


def _record(text: str, delimiter: str) -> list[str] | None:
    """The cells of one record; None where its quotes do not close."""
    try:
        records = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def _by_hand(path: Path, delimiter: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Record by record, where some lines have quotes around cells and others lone ones in their texts.

    Raises:
        DataError: a line can be read neither way.
    """
    pending: list[list[str]] = []
    for number, record in enumerate(_records(path, delimiter, len(schema))):
        if number:  # the first is the header
            pending.append(record)
        if len(pending) == ROWS:
            yield _batch(pending, schema)
            pending = []
    yield _batch(pending, schema)


def _records(path: Path, delimiter: str, width: int) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = enumerate(file, 1)
        for number, line in lines:
            if not line.strip("\r\n"):
                continue
            record = _record(line, delimiter)
            if record is None or len(record) != width:
                bare = line.rstrip("\r\n").split(delimiter)
                record = bare if len(bare) == width else _spanning(path, line, lines, number, delimiter, width)
            yield record


def _spanning(
    path: Path, text: str, lines: Iterator[tuple[int, str]], start: int, delimiter: str, width: int
) -> list[str]:
    """A record with a quoted cell of several lines."""
    for _, line in itertools.islice(lines, LONGEST):
        text += line
        record = _record(text, delimiter)
        if record is not None and len(record) == width:
            return record
    raise DataError(
        f'{path}: line {start}: expected {width} cells; a quote (") there is never closed, or cells are missing; '
        "close or double it"
    )


def _batch(rows: list[list[str]], schema: pa.Schema) -> pa.RecordBatch:
    nothing = set(EMPTY)
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    arrays = [pa.array([None if cell in nothing else cell for cell in column], pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
