"""Pairs: their sides, read from a table as codes of equal values."""

from collections.abc import Mapping, Sequence

import numpy as np

from plait.data.table import Table
from plait.values import as_text, is_missing

Sides = Mapping[str, Sequence[str]]  # input → the columns that it reads


def side_codes(table: Table, sides: Sides) -> np.ndarray:
    """`[N, M]` int64: equal values of a side have equal codes; -1 where a row lacks it.

    Texts are compared without regard to case and spaces, so that a caption that occurs twice has one code.

    >>> import pandas as pd
    >>> table = Table.from_frame(pd.DataFrame({"photo": ["a.png", "a.png", None], "title": ["A cat", "a  cat", "dog"]}))
    >>> side_codes(table, {"photo": ["photo"], "title": ["title"]}).tolist()
    [[0, 0], [0, 0], [-1, 1]]
    """
    return np.stack([_codes(table, columns) for columns in sides.values()], axis=1)


def needs_two(sides: Sides) -> str:
    """What is missing from a table without pairs, in words."""
    return f"fewer than two of the columns {', '.join(sides)}"


def _codes(table: Table, columns: Sequence[str]) -> np.ndarray:
    """`[N]` codes of the values of some columns together; -1 where all of them are empty."""
    present = [name for name in columns if name in table]
    if not present:
        return np.full(len(table), -1, dtype=np.int64)
    if len(present) == 1 and not isinstance(table.cells(present[0], [0])[0], str):
        return table.codes(present[0])[0]
    code_of: dict[tuple[str, ...], int] = {}
    codes = np.empty(len(table), dtype=np.int64)
    for row, cells in enumerate(zip(*(table.iterate(name) for name in present), strict=True)):
        key = tuple("" if is_missing(cell) else " ".join(as_text(cell).casefold().split()) for cell in cells)
        codes[row] = code_of.setdefault(key, len(code_of)) if any(key) else -1
    return codes
