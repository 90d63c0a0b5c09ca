"""A mean of a few models' answers, chosen one by one (Caruana et al. 2004) and scored on folds that did not choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.compare.crossfit import assembled, rest_of
from plait.compare.likelihood import mean_answers, row_losses, temperature_of, with_temperature
from plait.layers.spaces import Space

MOST = 5  # members, one of which may be chosen again


@dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Args:
        name: of the candidate.
        weight: how often it was chosen.
        temperature: of its probabilities.
    """

    name: str
    weight: int
    temperature: float


def choose_members(answers: Mapping[str, np.ndarray], truth: np.ndarray, space: Space) -> list[Member]:
    """The members whose mean has the lowest loss: the best first, then whichever helps most, with replacement.

    Args:
        answers: name → `[N, …]`.
        truth: `[N, …]`.
        space: of the target.

    >>> from plait.layers.spaces import Real
    >>> found = choose_members({"a": np.array([0.0, 2]), "b": np.array([2.0, 0]), "c": np.zeros(2)}, np.ones(2), Real())
    >>> [(one.name, one.weight) for one in found]
    [('a', 1), ('b', 1)]
    """
    warm = {name: temperature_of(space, one, truth) for name, one in answers.items()}
    calibrated = {
        name: np.asarray(with_temperature(space, one, warm[name]), np.float64) for name, one in answers.items()
    }
    chosen: list[str] = []
    total, lowest = np.zeros(()), np.inf
    for count in range(1, MOST + 1):
        losses = {name: row_losses(space, (total + one) / count, truth).mean() for name, one in calibrated.items()}
        name = min(losses, key=losses.__getitem__)
        if losses[name] >= lowest:
            break
        chosen.append(name)
        total, lowest = total + calibrated[name], losses[name]
    return [Member(name, chosen.count(name), warm[name]) for name in dict.fromkeys(chosen)]


def ensemble_answers(members: Sequence[Member], answers: Mapping[str, np.ndarray], space: Space) -> np.ndarray:
    """The members' weighted mean, each at its temperature."""
    parts = [with_temperature(space, answers[one.name], one.temperature) for one in members]
    return mean_answers(parts, [one.weight for one in members])


def cross_fitted_ensemble(
    answers: Mapping[str, np.ndarray], truth: np.ndarray, folds: Sequence[np.ndarray], space: Space
) -> np.ndarray:
    """`[N, …]` answers to each fold by the ensemble that the other folds choose."""
    parts = []
    for fold, rest in zip(folds, rest_of(folds), strict=True):
        members = choose_members({name: one[rest] for name, one in answers.items()}, truth[rest], space)
        parts.append(ensemble_answers(members, {name: one[fold] for name, one in answers.items()}, space))
    found: np.ndarray = assembled(parts, folds)
    return found
