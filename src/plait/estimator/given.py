"""X, y and sample_weight, as scikit-learn's tools pass them → one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.data.frames import frame_of
from plait.data.readers import Openable
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.recipe import Recipe, TaskRecipe
from plait.tasks import unused


@dataclass(frozen=True)
class Given:
    """The rows, and what their columns are for.

    Args:
        table: the rows, or None where none were passed.
        targets: the columns that `y` became.
        weight: the column that `sample_weight` became.
    """

    table: Openable | None
    targets: list[str] = field(default_factory=list)
    weight: str | None = None

    def asked_in(self, recipe: Recipe) -> Recipe:
        """The recipe, with these targets where it has none, and with these weights."""
        if self.targets and not recipe.targets:
            first = recipe.task[0] if recipe.task else TaskRecipe()
            tasks = [first.model_copy(update={"target": name}) for name in self.targets]
            recipe = recipe.model_copy(update={"task": tasks})
        if self.weight is not None:
            recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"weight": self.weight})})
        return recipe


def joined(X: Any, y: Any = None, sample_weight: Any = None, targets: Sequence[str] = ()) -> Given:
    """One table of rows, their targets and their weights.

    Args:
        X: `[N, F]` numbers, a list of rows, or whatever `open_table` opens; beside y or weights, rows in memory.
        y: `[N]` or `[N, T]` targets; None where X has them. A column of X with a target's name gives way to it.
        sample_weight: `[N]` numbers, none of them negative.
        targets: names of the targets; without them that of the series, or `target`.

    Raises:
        DataError: they differ in length, or X is no table.
        RecipeError: y is a table, or the rows are in a file.

    >>> given = joined([[1.5, "red"], [2.5, "blue"]], ["yes", "no"])
    >>> given.table.columns.tolist(), given.targets
    (['x0', 'x1', 'target'], ['target'])
    """
    if y is None and sample_weight is None:
        return Given(None if X is None else rows_of(X))
    if isinstance(X, str | Path | Table | pa.Table) or X is None:
        what = "y" if y is not None else "sample_weight"
        raise RecipeError(
            f"{what} needs rows in memory, got {type(X).__name__}; name the column instead: "
            + ("Predictor(target=…)" if what == "y" else 'data={"weight": …}')
        )
    opened = rows_of(X)
    frame = opened.copy(deep=False) if isinstance(opened, pd.DataFrame) else frame_of(opened)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    added = {} if y is None else _targets(y, list(targets), list(frame.columns))
    names = list(added)
    weight = None
    if sample_weight is not None:
        weight = unused("sample_weight", [*frame.columns, *names])
        added[weight] = _weights(sample_weight)
    for name, values in added.items():
        if len(values) != len(frame):
            raise DataError(
                f"X has {len(frame)} rows and {'sample_weight' if name == weight else 'y'} has {len(values)}; "
                "each row needs one"
            )
        frame[name] = values.set_axis(frame.index)  # by position: the rows of a fold keep their own numbers
    return Given(frame, names, weight)


def rows_of(X: Any, names: Sequence[str] | None = None) -> Any:
    """X as what `open_table` opens: the columns of an array, or of a list of rows, get names.

    Args:
        X: anything.
        names: of an array's columns; None for `x0`, `x1`, …

    Raises:
        DataError: an array is not two-dimensional, or has more or fewer columns than there are names.

    >>> rows_of(np.eye(2), ["a", "b"]).columns.tolist()
    ['a', 'b']
    """
    if isinstance(X, pd.Series):
        raise DataError("expected a table, got a series (1D); pass series.to_frame(). Reshape your data")
    if hasattr(X, "toarray"):
        raise DataError("expected a dense table, got a sparse matrix; pass X.toarray()")
    rows = isinstance(X, list | tuple) and len(X) > 0 and not isinstance(X[0], Mapping)
    known = isinstance(X, pd.DataFrame | Table | pa.Table | Mapping | list | tuple | str | Path)
    if not rows and (known or not hasattr(X, "__array__")):
        return X
    if hasattr(X, "to_pandas"):  # a frame of another library, whose columns have names
        return X.to_pandas()
    if rows and not all(isinstance(row, Sequence | np.ndarray) and not isinstance(row, str | bytes) for row in X):
        raise DataError(f"expected rows, got a list (1D) of {type(X[0]).__name__}s. Reshape your data: one list a row")
    frame = pd.DataFrame([list(row) for row in X]) if rows else _frame(np.asarray(X))
    if isinstance(frame.columns, pd.RangeIndex) and names is not None and len(names) != frame.shape[1]:
        raise DataError(
            f"X has {frame.shape[1]} features, but Predictor is expecting {len(names)} features as input, as it was "
            "trained on; pass a frame with names where columns are missing"
        )
    if isinstance(frame.columns, pd.RangeIndex):  # not of an array whose columns have names
        frame.columns = pd.Index(names if names is not None else [f"x{number}" for number in range(frame.shape[1])])
    return frame


def _frame(array: np.ndarray) -> pd.DataFrame:
    if array.dtype.names is not None:
        return pd.DataFrame.from_records(array)
    if array.ndim != 2:
        raise DataError(f"expected an array of rows and columns (2D), got {array.ndim}D array. Reshape your data")
    if not array.shape[1]:
        raise DataError(f"X has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    if np.iscomplexobj(array):
        raise DataError("Complex data not supported: pass real and imaginary parts as columns")
    frame = pd.DataFrame(array)
    return frame.infer_objects() if array.dtype == object else frame


def _targets(y: Any, names: list[str], taken: list[str]) -> dict[str, pd.Series]:
    """The columns of y by target."""
    if isinstance(y, str | Path | Table | pa.Table):
        raise RecipeError(
            f"y: expected the targets of X's rows, got {type(y).__name__}; a table to validate on is val=…"
        )
    if isinstance(y, pd.DataFrame):
        columns = [y.iloc[:, place] for place in range(y.shape[1])]
        own = [str(column.name) for column in columns]
    elif isinstance(y, pd.Series):
        columns, own = [y], [unused("target", taken) if y.name is None else str(y.name)]
    elif isinstance(y, list | tuple):  # a cell may be a list itself, such as tags
        columns, own = [_cells(y)], [unused("target", taken)]
    else:
        array = np.asarray(y)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim not in (1, 2):
            raise DataError(f"y: expected one target a row, or a column for each target, got shape {array.shape}")
        columns = [_cells(column) for column in (array.T if array.ndim == 2 else [array])]
        own = [unused("target", taken)] if len(columns) == 1 else [f"target{n}" for n in range(len(columns))]
    if names and len(names) != len(columns):
        raise DataError(f"y: expected {len(names)} targets ({', '.join(names)}), got {len(columns)}")
    return dict(zip(names or own, columns, strict=True))


def _cells(values: Any) -> pd.Series:
    """Cells as they are; of an array in its own type."""
    if isinstance(values, np.ndarray):
        if np.iscomplexobj(values):
            raise DataError("y: Complex data not supported")
        return pd.Series(values).infer_objects() if values.dtype == object else pd.Series(values)
    return frame_of({"y": list(values)})["y"].infer_objects()


def _weights(values: Any) -> pd.Series:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iufb":
        raise DataError(f"sample_weight: expected one number a row, got shape {array.shape} of {array.dtype}")
    return pd.Series(array.astype(np.float64))
