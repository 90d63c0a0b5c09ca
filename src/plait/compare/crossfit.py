"""Choosing on some folds and scoring on another: a winner's own score is the score that chose it, and too good."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from plait.layers.ragged import joined


def rest_of(folds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Positions of all other folds, for each fold.

    >>> [one.tolist() for one in rest_of([np.array([0, 2]), np.array([1])])]
    [[1], [0, 2]]
    """
    every = np.sort(np.concatenate(folds))
    return [np.setdiff1d(every, fold) for fold in folds]


def picks(choices: Sequence[Any], folds: Sequence[np.ndarray], value: Callable[[Any, np.ndarray], Any]) -> list[Any]:
    """For each fold the choice that is best on the other folds.

    Args:
        choices: what is chosen from.
        folds: positions of the rows of each.
        value: (choice, positions) → how good it is there; higher is better.

    >>> picks(["a", "b"], [np.array([0]), np.array([1])], lambda name, rows: (name == "a") == (rows[0] == 0))
    ['b', 'a']
    """
    return [max(choices, key=lambda one: value(one, rest)) for rest in rest_of(folds)]


def assembled(parts: Sequence[Any], folds: Sequence[np.ndarray]) -> Any:
    """Answers to the rows of each fold, put in the order of the rows."""
    order = np.argsort(np.concatenate(folds))
    return joined(list(parts))[order]
