"""Series of numbers over time: lists, arrays, NumPy's and CSV files → values, times, and which of them are there."""

import contextlib
import csv
import datetime
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait.errors import DataError, EmptyValue
from plait.files.reading import MOST_MEDIA, read_bytes
from plait.values import MISSING_WORDS

MOST_CHANNELS = 4_096
MOST_NUMBERS = 1 << 28  # of one series, as an array file may claim
TIMES = ("time", "times", "timestamp", "datetime", "date", "seconds")  # columns of a CSV file that say when
LARGEST = 3e38  # what float32 holds; a larger number is none
NPY, ZIP = b"\x93NUMPY", b"PK"


@dataclass(frozen=True)
class Series:
    """Numbers of one or several channels over time.

    Args:
        values: `[T, C]` float64, NaN where a channel has no number.
        times: `[T]` float64 seconds, never falling; None where the series says nothing of time.
        sorted: its times had to be put in order.
        names: of the channels, where a CSV file says them.
        untimed: steps that had no time, and lie nowhere.
    """

    values: np.ndarray
    times: np.ndarray | None = None
    sorted: bool = False
    names: tuple[str, ...] | None = None
    untimed: int = 0


def as_bytes(cell: Any) -> bytes:
    """A list or an array of numbers as the bytes of an `.npy` file, float64 `[T, C]`; records as those of an `.npz`.

    Args:
        cell: T numbers, T rows of C numbers, or an array of one or two dimensions; None and NaN are gaps. Or T records:
            dicts, or NumPy's structured array, whose field called time, timestamp, date or the like says when, and each
            other one is a channel.

    Raises:
        DataError: rows differ in length, or something in it is no number.

    >>> read_series(as_bytes([1, None, 3])).values.tolist()
    [[1.0], [nan], [3.0]]
    """
    file = io.BytesIO()
    if are_records(cell):
        values, times, names = _records(cell)
        timed = {} if times is None else {"times": times}
        np.savez(file, allow_pickle=False, values=values, names=np.array(names), **timed)
    else:
        np.save(file, _array(cell), allow_pickle=False)
    return file.getvalue()


def are_records(cell: Any) -> bool:
    """Whether a cell holds steps with named channels."""
    if isinstance(cell, np.ndarray) and cell.dtype.names:
        return True
    return isinstance(cell, list | tuple) and any(isinstance(step, dict) for step in cell)


def _records(cell: Any) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """`[T, C]` values, `[T]` seconds and the channels' names of T records."""
    if isinstance(cell, np.ndarray):
        columns: dict[str, Any] = {name: cell[name] for name in cell.dtype.names or ()}
    else:
        odd = next((step for step in cell if step is not None and not isinstance(step, dict)), None)
        if odd is not None:
            raise DataError(f"expected records of numbers in a series, got {str(odd)[:40]!r} among them")
        names = dict.fromkeys(str(name) for step in cell if step is not None for name in step)
        columns = {name: [(step or {}).get(name) for step in cell] for name in names}
    clock = next((name for name in columns if name.lower() in TIMES or _are_moments(columns[name])), None)
    channels = [name for name in columns if name != clock]
    if not channels:
        raise DataError(f"expected a channel of numbers beside the time, got the fields {', '.join(columns) or 'none'}")
    values = np.stack([_array(columns[name])[:, 0] for name in channels], axis=1)
    if clock is None:
        return values, None, tuple(channels)
    times = columns[clock]
    if not isinstance(times, np.ndarray):
        numbers = not any(isinstance(time, str | datetime.datetime) for time in times)
        times = _array(times)[:, 0] if numbers else moments(clock, ["" if t is None else str(t) for t in times])
    return values, _seconds(times), tuple(channels)


def _are_moments(column: Any) -> bool:
    if isinstance(column, np.ndarray):
        return column.dtype.kind == "M"
    return any(isinstance(value, datetime.datetime) for value in column)


def _array(cell: Any) -> np.ndarray:
    """`[T, C]` float64."""
    if isinstance(cell, np.ndarray) and cell.dtype != object:
        array = cell
    else:
        rows = list(cell)
        nested = [isinstance(row, Sequence | np.ndarray) and not isinstance(row, str) for row in rows]
        if any(nested):
            odd = next((row for row, one in zip(rows, nested, strict=True) if not one and row is not None), None)
            if odd is not None:
                raise DataError(f"expected rows of numbers in a series, got {str(odd)[:40]!r} among them")
            widths = {len(row) for row in rows if row is not None}
            if len(widths) != 1:
                raise DataError(f"expected rows of one length in a series, got {sorted(widths)[:4]}")
            empty = [None] * widths.pop()
            array = np.array([[_number(value) for value in (empty if row is None else row)] for row in rows])
        else:
            array = np.array([_number(value) for value in rows], dtype=np.float64)
    if array.dtype.kind not in "fiub":
        raise DataError(f"expected numbers in a series, got an array of {array.dtype}")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        shape = "×".join(map(str, array.shape))
        raise DataError(f"expected a series as T numbers or T×channels, got an array of {shape}")
    return array.astype(np.float64)


def _number(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING_WORDS:
            return float("nan")
        try:
            return float(text) if "_" not in text else float("x")
        except ValueError as error:
            raise DataError(f"expected numbers in a series, got {value[:40]!r}") from error
    try:
        return float(value)
    except OverflowError:
        return float("nan")  # an integer beyond any float
    except (TypeError, ValueError) as error:
        raise DataError(f"expected numbers in a series, got {str(value)[:40]!r}") from error


def read_series(value: Path | str | bytes) -> Series:
    """A series from an `.npy`, `.npz` or CSV file, or its bytes.

    An `.npz` holds `values` `[T]` or `[T, C]`, and may hold `times` (seconds, or NumPy's datetimes) and `names` of the
    channels. A CSV file has a
    header and a channel a column; a column called time, timestamp, date or the like says when. Rows are put in the
    order of their times; equal times stay, and nothing is filled in between.

    Raises:
        EmptyValue: it has no step, or no number at all.
        DataError: it is missing, damaged, of an unknown kind, or holds what is no number.
    """
    name = getattr(value, "path", "") or (f"series of {len(value):,} bytes" if isinstance(value, bytes) else str(value))
    data = value if isinstance(value, bytes) else read_bytes(value, most=MOST_MEDIA)
    names: tuple[str, ...] | None = None
    try:
        if data[:6] == NPY:
            values, times = _array(_npy(data)), None
        elif data[:2] == ZIP:
            values, times, names = _npz(data)
        else:
            values, times, names = _csv(data)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    return _checked(values, times, names, name)


def _checked(values: np.ndarray, times: np.ndarray | None, names: tuple[str, ...] | None, name: str) -> Series:
    if not 1 <= values.shape[1] <= MOST_CHANNELS:
        raise DataError(f"{name}: expected 1 to {MOST_CHANNELS:,} channels, got {values.shape[1]:,}")
    if names is not None and len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise DataError(f"{name}: two channels have the name {twice[:40]!r}; rename one")
    in_order, untimed = True, 0
    if times is not None and len(times) != len(values):
        raise DataError(f"{name}: {len(values):,} steps and {len(times):,} times")
    if times is not None and not np.isfinite(times).any():
        times = None  # nothing is known of time
    if times is not None:
        known = np.isfinite(times)
        untimed = int((~known).sum())
        values, times = values[known], times[known]  # a step without a time lies nowhere
        in_order = bool((np.diff(times) >= 0).all())
        if not in_order:
            order = np.argsort(times, kind="stable")
            values, times = values[order], times[order]
    values = np.where(np.abs(values) < LARGEST, values, np.nan)
    if not len(values) or np.isnan(values).all():
        raise EmptyValue(f"{name}: holds no number")
    return Series(values, times, not in_order, names, untimed)


def _npy(data: bytes) -> np.ndarray:
    """An array of numbers or moments; what would need pickle, or claims more than there is, is refused."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        count = int(np.prod(shape, dtype=np.float64)) if shape else 1
        if dtype.hasobject or count > MOST_NUMBERS or count * dtype.itemsize > len(data):
            raise DataError("expected an array of numbers, whole and without Python objects")
        file.seek(0)
        array: np.ndarray = np.load(file, allow_pickle=False)
        return array
    except DataError:
        raise
    except Exception as error:  # NumPy reads a header as Python text, and raises whatever its tokenizer does
        raise DataError(
            f"the array file is damaged ({str(error).splitlines()[0][:80] if str(error) else ''})"
        ) from error


def _npz(data: bytes) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in archive.infolist()):
                raise DataError("the arrays are packed in a way that NumPy does not use")
            sizes = {one.filename: one.file_size for one in archive.infolist()}
            if sum(sizes.values()) > MOST_MEDIA:
                raise DataError(f"the arrays unpack to more than {MOST_MEDIA:,} bytes")
            if "values.npy" not in sizes:
                raise DataError(f"expected an array called values, got {', '.join(sizes) or 'none'}")
            known = [key for key in ("values", "times", "names") if f"{key}.npy" in sizes]
            arrays = {key: _npy(archive.read(f"{key}.npy")) for key in known}
    except DataError:
        raise
    except Exception as error:  # zipfile and what unpacks raise anything from zlib.error to ValueError
        raise DataError(f"the file of arrays is damaged ({' '.join(str(error).split())[:80]})") from error
    values = _array(arrays["values"])
    names = tuple(map(str, arrays["names"].ravel())) if "names" in arrays else None
    if names is not None and len(names) != values.shape[1]:
        raise DataError(f"{values.shape[1]} channels and {len(names)} names")
    return values, _seconds(arrays["times"]) if "times" in arrays else None, names


def _seconds(times: np.ndarray) -> np.ndarray:
    """Moments or numbers as float64 seconds, NaN for none."""
    if times.dtype.kind == "M":
        seconds = times.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(times), np.nan, seconds)
    if times.dtype.kind not in "fiu" or times.ndim != 1:
        raise DataError(f"expected times as one number or moment a step, got an array of {times.dtype}")
    return times.astype(np.float64)


def _csv(data: bytes) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """A header and a channel a column."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("expected an .npy, .npz or CSV file of numbers, got a file of another kind") from error
    mark = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=mark) if row]
    except csv.Error as error:
        raise DataError(f"expected a CSV file of numbers ({error})") from error
    if len(rows) < 2:
        raise DataError("expected an .npy, .npz or CSV file of numbers, with a header and a row a step")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if all(_is_number(name) for name in header):
        raise DataError("expected a first line of names, such as time,speed; got numbers")
    ragged = next((place for place, row in enumerate(body, 2) if len(row) != len(header)), None)
    if ragged is not None:
        raise DataError(f"line {ragged}: expected {len(header)} columns")
    clock = next((place for place, name in enumerate(header) if name.lower() in TIMES), None)
    channels = [place for place in range(len(header)) if place != clock]
    values = np.array([[_number(row[place]) for place in channels] for row in body], dtype=np.float64)
    times = None if clock is None else moments(header[clock], [row[clock] for row in body])
    return values.reshape(len(body), len(channels)), times, tuple(header[place] for place in channels)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(_number(text)))
    except DataError:
        return False


def moments(name: str, cells: Sequence[str]) -> np.ndarray:
    """Texts of seconds or of ISO moments as `[N]` float64 seconds, NaN for none.

    Raises:
        DataError: they are neither, or seconds in a column whose name says date.
    """
    numbers = None
    with contextlib.suppress(DataError):
        numbers = np.array([_number(cell) for cell in cells], dtype=np.float64)
    if numbers is not None and "date" in name.lower():
        raise DataError(f"{name}: expected ISO dates such as 2026-01-30, got {cells[0][:20]!r}; call seconds time")
    if numbers is not None:
        return numbers
    try:
        known = [cell.strip().rstrip("Z") for cell in cells]
        plain = ["NaT" if cell.lower() in MISSING_WORDS else cell for cell in known]
        return _seconds(np.array(plain, dtype="datetime64[us]"))
    except ValueError as error:
        raise DataError(f"expected times as seconds or ISO dates ({str(error)[:80]})") from error
