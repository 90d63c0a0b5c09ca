"""How much each row counts in training, as a column says."""

import numpy as np

from plait.data.table import Table
from plait.errors import DataError
from plait.recipe import Recipe
from plait.values import as_number


def row_weights(recipe: Recipe, table: Table) -> np.ndarray | None:
    """`[N]` how much each row counts in training; None where the recipe names no column.

    Raises:
        DataError: a cell is empty, negative or no number.
    """
    column = recipe.data.weight
    if column is None:
        return None
    weights = np.empty(len(table))
    for row, cell in enumerate(table.iterate(column)):
        try:
            weights[row] = as_number(column, cell)
        except DataError as error:
            raise DataError(f"{table.source}: row {row + 1}: {error}") from error
        if not 0 <= weights[row] < np.inf:
            raise DataError(
                f"{table.source}: row {row + 1}, column {column!r}: expected a weight from 0 on, got {cell!r}"
            )
    return weights


def weighed(rows: np.ndarray, weights: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on without those that count for nothing, and weights whose mean over the others is 1.

    Raises:
        DataError: none counts.
    """
    kept = rows[weights[rows] > 0]
    if not len(kept):
        raise DataError(f"{source}: the weight of every training row is zero; none would be learned from")
    return kept, weights / weights[kept].mean()
