"""A model's answers to a table's rows, as columns; rows with unusable cells keep their place."""

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from plait.tasks import Targets, unused

OnError: TypeAlias = Literal["refuse", "skip", "missing"]  # a cell that can't be used


def answer_frame(
    targets: Targets, predictions: Mapping[str, np.ndarray], rows: np.ndarray, skipped: Collection[int] = ()
) -> pd.DataFrame:
    """A frame of row numbers (from 1), answers and probabilities; those of skipped rows are empty.

    Args:
        targets: the tasks.
        predictions: their predictions.
        rows: `[N]` numbers from 0.
        skipped: rows that get no answer.
    """
    columns = targets.columns(predictions)
    if skipped:
        gone = np.isin(rows, list(skipped))
        columns = {name: _without(values, gone) for name, values in columns.items()}
    return pd.DataFrame({unused("row", columns): rows + 1, **columns})


def answer_array(answers: list[Any], skipped: Collection[int] = ()) -> np.ndarray:
    """Answers as an array of their own type; an array of objects where a row got no answer."""
    if any(isinstance(answer, list) for answer in answers):  # lists of different length, such as tags of sentences
        return _without(answers, np.isin(np.arange(len(answers)), list(skipped)))
    if skipped or len({type(answer) for answer in answers}) > 1:  # of 1 and "a" numpy would make two texts
        return _without(answers, np.isin(np.arange(len(answers)), list(skipped)))
    return np.array(answers)


def _without(values: Any, gone: np.ndarray) -> Any:
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.where(gone, np.nan, values)
    objects = np.empty(len(values), dtype=object)
    objects[:] = [None if missing else value for value, missing in zip(values, gone, strict=True)]
    return objects
