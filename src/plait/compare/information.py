"""What each modality knows about the target, in bits, and whether together they know more than the sum.

The mutual information of inputs and target is at least the entropy of the target less the log loss of any model of it
(the bound of Barber and Agakov, 2003): how many bits the answers save over knowing only how often each class comes.
So all that stands here are lower bounds, which a better model would lift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.compare.crossfit import assembled, picks, rest_of
from plait.compare.likelihood import constant_answers, row_losses, temperature_of, with_temperature
from plait.layers.spaces import Space
from plait.metrics.bootstrap import interval


@dataclass
class Information:
    """Bits a row, by answers to rows that no part of them was fitted on.

    Args:
        alone: modality → what it knows by itself.
        together: what all know.
        excess: `together` less the sum of `alone`: above zero is synergy (they mean something in combination), below
            it redundancy (they say the same).
        low, high: the middle 95 % of its bootstrap.
        unit: `bits`.
        ceiling: the target's own entropy, which nobody can exceed; None for numbers.
    """

    alone: dict[str, float]
    together: float
    excess: float
    low: float
    high: float
    unit: str = "bits"
    ceiling: float | None = None


def information(
    single: Mapping[str, Sequence[np.ndarray]],
    fused: Sequence[np.ndarray],
    truth: np.ndarray,
    folds: Sequence[np.ndarray],
    space: Space,
    draws: Sequence[np.ndarray],
) -> Information | None:
    """Estimate it; None for a target without a likelihood, or where a modality has no answers.

    Of a modality's models (and of the fusions) the one that has the lowest loss on the other folds answers each fold,
    at the temperature that fits there: a weak single model would pass for synergy.

    Args:
        single: modality → the answers `[N, …]` of each model that sees it alone.
        fused: the answers of each model that sees all.
        truth: `[N, …]`.
        folds: positions of each.
        space: of the target.
        draws: positions of each draw of the bootstrap.
    """
    if not fused or not all(single.values()) or space is None:
        return None
    base = assembled([constant_answers(space, truth[rest], len(fold)) for fold, rest in _pairs(folds)], folds)
    of_base = row_losses(space, base, truth)
    losses = {name: _losses(models, truth, folds, space) for name, models in single.items()}
    of_all = _losses(fused, truth, folds, space)
    numbers = all(problem.classes == 0 for problem in space.problems())

    def bits(of_model: np.ndarray, rows: Any) -> float:
        if numbers:  # of a normal distribution: half the logarithm of how many times smaller the squared error is
            return float(0.5 * np.log2(of_base[rows].mean() / max(of_model[rows].mean(), 1e-12)))
        return float((of_base[rows] - of_model[rows]).mean() / np.log(2))

    def excess(rows: Any) -> float:
        return bits(of_all, rows) - sum(bits(one, rows) for one in losses.values())

    every = slice(None)
    low, high = interval(np.array([excess(draw) for draw in draws]))
    alone = {name: bits(one, every) for name, one in losses.items()}
    ceiling = None if numbers else float(of_base.mean() / np.log(2))
    return Information(alone, bits(of_all, every), excess(every), low, high, ceiling=ceiling)


def _pairs(folds: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(folds, rest_of(folds), strict=True))


def _losses(models: Sequence[np.ndarray], truth: np.ndarray, folds: Sequence[np.ndarray], space: Space) -> np.ndarray:
    """`[N]` losses of the calibrated model that the other folds prefer."""

    def likely(answers: np.ndarray, rows: np.ndarray) -> float:
        warm = temperature_of(space, answers[rows], truth[rows])
        return -float(row_losses(space, with_temperature(space, answers[rows], warm), truth[rows]).mean())

    parts = []
    for (fold, rest), answers in zip(_pairs(folds), picks(models, folds, likely), strict=True):
        warm = temperature_of(space, answers[rest], truth[rest])
        parts.append(row_losses(space, with_temperature(space, answers[fold], warm), truth[fold]))
    found: np.ndarray = assembled(parts, folds)
    return found
