"""A pandas frame, dicts and lists of dicts → Arrow columns; every value keeps its meaning.

Images become PNG bytes, paths and UUIDs their texts, an Enum its value, a Period its first moment. What no modality
covers is never turned into the text of its `repr`: its column stays empty, and the table says why.
"""

import decimal
import enum
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait import former_names
from plait.errors import DataError
from plait.modalities import MODALITIES
from plait.values import as_text, is_missing, plain

TEXTS = (str, PurePath, uuid.UUID)
# What Arrow raises for values that it has no type for.
UNFIT = (pa.ArrowException, OverflowError)
NUMBERS = (bool, int, float, np.number, np.bool_, decimal.Decimal)


def columns_of(frame: pd.DataFrame) -> tuple[dict[str, pa.Array], dict[str, str], set[str]]:
    """The columns of a frame as Arrow arrays, why no modality covers some of them, and which are categorical.

    Raises:
        DataError: two columns have one name, or an image's array can't be one.
    """
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"the frame has two columns of the name {twice!r}; rename one")
    arrays: dict[str, pa.Array] = {}
    uncovered: dict[str, str] = {}
    categorical: set[str] = set()
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        if isinstance(series.dtype, pd.CategoricalDtype):
            categorical.add(name)
            series = series.astype(object) if _is_object(series.dtype.categories.dtype) else _decoded(series)
        array, reason = _array(name, series)
        arrays[name] = array
        if reason:
            uncovered[name] = reason
    return arrays, uncovered, categorical


def frame_of(rows: Sequence[Mapping[Any, Any]] | Mapping[Any, Any]) -> pd.DataFrame:
    """Dicts as a frame whose cells are as they were given: a list of rows, a dict of columns, or a dict of one row.

    A dict is columns where a value is a list, an array or a series, else one row.

    Raises:
        DataError: an entry is no dict, or columns differ in length.

    >>> frame_of([{"a": 1}, {"b": "x"}]).shape, frame_of({"a": [1, 2]}).shape, frame_of({"a": 1, "b": "x"}).shape
    ((2, 2), (2, 1), (1, 2))
    """
    if isinstance(rows, Mapping):
        columns = {name: value for name, value in rows.items() if isinstance(value, list | np.ndarray | pd.Series)}
        if not columns:
            return frame_of([rows])
        lengths = {str(name): len(value) if name in columns else 0 for name, value in rows.items()}
        if len(set(lengths.values())) > 1:
            listing = ", ".join(f"{name}: {length or 'one value'}" for name, length in list(lengths.items())[:5])
            raise DataError(f"the dict's columns differ in length ({listing}); give each a list of one length")
        return pd.DataFrame({name: _objects(list(value)) for name, value in rows.items()})
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number}: expected a dict of column and value, got {type(row).__name__}")
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: _objects([row.get(name) for row in rows]) for name in names})


def _objects(values: list[Any]) -> pd.Series:
    """Cells as they are: pandas would turn integers beside None into floats."""
    series = pd.Series([None] * len(values), dtype=object)
    for place, value in enumerate(values):
        series.iat[place] = value
    return series


def _is_object(dtype: Any) -> bool:
    return bool(pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.IntervalDtype | pd.PeriodDtype))


def _decoded(series: pd.Series) -> pd.Series:
    """A categorical column in the type of its categories, with room for empty cells."""
    assert isinstance(series.dtype, pd.CategoricalDtype)
    dtype = series.dtype.categories.dtype
    integers = pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    return series.astype(object) if integers and series.isna().any() else series.astype(dtype)


def _array(name: str, series: pd.Series) -> tuple[pa.Array, str]:
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    elif isinstance(series.dtype, pd.IntervalDtype):
        series = series.astype(object)
    elif isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()  # type: ignore[attr-defined]  # the stubs lack the accessor
    if not pd.api.types.is_object_dtype(series.dtype):
        try:
            return pa.Array.from_pandas(series), ""
        except UnicodeEncodeError as error:  # a column of texts is not left out for one of its cells
            raise DataError(f"column {name!r}: half a character (a lone surrogate); correct the text") from error
        except UNFIT:
            return pa.nulls(len(series)), f"its type is {series.dtype}, which no type covers"
    cells = [None if not _nested(value) and is_missing(value) else value for value in series]
    present = [value for value in cells if value is not None]
    for row, value in enumerate(cells, 1):
        if isinstance(value, str) and not value.isascii() and value.encode(errors="replace").decode() != value:
            raise DataError(f"row {row}, column {name!r}: half a character (a lone surrogate); correct the text")
    # First what modalities store in their own way, such as images, then other kinds of objects.
    objects = [(modality.takes, modality.store) for modality in MODALITIES.values()]
    for fits, convert in [*objects, *_KINDS]:
        if present and all(fits(value) for value in present):
            converted = [None if value is None else convert(name, row, value) for row, value in enumerate(cells, 1)]
            try:
                return pa.array(converted), ""
            except UNFIT:  # of several kinds, such as lists of one and of two levels
                break
    bare = [value if _nested(value) else plain(value) for value in cells]
    try:
        array = pa.array(bare, from_pandas=True)
    except UnicodeEncodeError as error:  # in a list or a dict
        raise DataError(f"column {name!r}: half a character (a lone surrogate); correct the text") from error
    except UNFIT:
        if all(value is None or isinstance(value, TEXTS + NUMBERS) for value in bare):
            return pa.array([None if value is None else as_text(value) for value in bare], pa.string()), ""
        lists = [modality.takes for modality in MODALITIES.values() if modality.lists]
        if any(2 * sum(map(takes, present)) >= len(present) for takes in lists) and all(map(_listed, present)):
            # Most are lists of numbers; as texts the others are unusable cells, and not a column that is left out.
            return pa.array([None if value is None else _as_json(value) for value in cells], pa.string()), ""
        kinds = sorted({type(value).__name__ for value in present})
        reason = f"its cells are {' and '.join(kinds[:3])} objects, which no type covers"
        return pa.nulls(len(cells)), reason
    return array, ""


def _nested(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset | dict | np.ndarray)


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple) or hasattr(value, "tolist")


def _as_json(value: Any) -> str:
    return json.dumps(value.tolist() if hasattr(value, "tolist") else value, default=str)


def _sequence(value: Any) -> bool:
    simple = (*TEXTS, *NUMBERS, enum.Enum, type(None))
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, simple) for item in value)


def _as_plain(name: str, row: int, value: Any) -> Any:
    return plain(value)


def _written(name: str, row: int, value: Any) -> str:
    return str(value)


def _moment(name: str, row: int, value: Any) -> Any:
    return value.to_timestamp()


# What fits a whole column, and what becomes of a cell. The first that fits every cell is taken.
_KINDS: list[tuple[Callable[[Any], bool], Callable[[str, int, Any], Any]]] = [
    (lambda value: isinstance(value, pd.Interval), _written),
    (lambda value: isinstance(value, pd.Period), _moment),
    (lambda value: isinstance(value, decimal.Decimal), lambda name, row, value: float(value)),
    (lambda value: isinstance(value, TEXTS) and not isinstance(value, enum.Enum), _written),
    (lambda value: isinstance(value, enum.Enum) and isinstance(plain(value), str), _as_plain),
    (
        lambda value: isinstance(value, set | frozenset) and _sequence(value),
        lambda n, r, value: sorted(map(as_text, value)),
    ),
]


__getattr__ = former_names(__name__, {"picture_bytes": "plait.modalities.image.store"})
