"""Which rows a comparison tests in each fold, and which may be learned from there."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from plait.data.moments import moments
from plait.data.splits import folds_of, forward_folds, holdout, latest
from plait.data.table import Table
from plait.errors import RecipeError
from plait.recipe import Recipe
from plait.runs.weights import row_weights, weighed

VAL = 0.1  # of a fold's training rows: picks the epoch


@dataclass(frozen=True)
class Cutting:
    """How rows are cut: at random, by group or in time; and how much each counts in training.

    Args:
        groups: `[rows of the table]` codes of rows that stay together; None for none.
        moments: likewise ranks in time: a fold learns from what came before it.
        weights: likewise how much each counts; None for all alike.
        seed: of what is drawn.
        name: what the folds are of, in words.
        source: the name of the table.
    """

    groups: np.ndarray | None
    moments: np.ndarray | None
    weights: np.ndarray | None
    seed: int
    name: str
    source: str

    @classmethod
    def of(cls, recipe: Recipe, table: Table) -> Self:
        """As a recipe says.

        Raises:
            RecipeError: it names both a group and a time.
            DataError: a cell of the time or the weight can't be used.
        """
        group, time = recipe.data.group, recipe.data.time
        if group is not None and time is not None:
            raise RecipeError("data.time and data.group both say how folds are cut; leave one of them out")
        name = "random rows" if group is None else f"whole groups of {group}"
        return cls(
            None if group is None else table.codes(group)[0],
            None if time is None else moments(table, time),
            row_weights(recipe, table),
            recipe.train.seed,
            name if time is None else f"later rows, by {time}, trained on those before",
            table.source,
        )

    def folds(self, rows: np.ndarray, count: int, strata: np.ndarray | None) -> list[np.ndarray]:
        """The test rows of each fold; in time the earliest rows are in none.

        Raises:
            DataError: there are fewer rows, groups or moments than it takes.
        """
        if self.moments is not None:
            return forward_folds(rows, count, self.moments[rows])
        return folds_of(rows, count, strata, None if self.groups is None else self.groups[rows], self.seed)

    def before(self, rows: np.ndarray, test: np.ndarray) -> np.ndarray:
        """The rows that a fold may learn from."""
        if self.moments is not None:
            return rows[self.moments[rows] < self.moments[test].min()]
        return np.setdiff1d(rows, test)

    def parts(self, rest: np.ndarray, strata: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Those rows, cut into rows to train on and to validate on, and the weights of all rows.

        Raises:
            DataError: there are too few rows for both, or none counts.
        """
        if self.moments is not None:
            train, val = latest(rest, VAL, self.moments[rest])
        else:
            train, val = holdout(rest, VAL, strata, None if self.groups is None else self.groups[rest], self.seed)
        if self.weights is None:
            return train, val, None
        train, weights = weighed(train, self.weights, self.source)
        return train, val, weights
