"""What answers say about the truth, row by row: log losses, temperatures, means of several models' answers.

Answers are what is scored and kept: probabilities `[N, C]` of classes, `[N, L]` of labels, or numbers `[N]`.
"""

from collections.abc import Sequence

import numpy as np
import torch

from plait.layers.spaces import Problem, Space
from plait.training.calibration import fit_temperature

LEAST = 1e-6  # of a probability: one row that was thought impossible must not outweigh all others


def _classes(space: Space) -> bool:
    problems: list[Problem] = space.problems()
    return problems[0].width > 1


def _numbers(space: Space) -> bool:
    return all(problem.classes == 0 for problem in space.problems())


def row_losses(space: Space, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`[N]` the log loss of each row in nats, of labels summed; of numbers the squared error.

    >>> from plait.layers.spaces import Categorical
    >>> row_losses(Categorical(2), np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([1, 0])).round(2).tolist()
    [0.69, 0.11]
    """
    if _numbers(space):
        return (
            np.square(np.asarray(answers, dtype=np.float64).reshape(truth.shape) - truth).reshape(len(truth), -1).sum(1)
        )
    p = np.clip(np.asarray(answers, dtype=np.float64), LEAST, 1 - LEAST)
    if _classes(space):
        return -np.log(p[np.arange(len(truth)), truth.astype(np.int64)])
    labels = truth.reshape(p.shape)
    return np.where(labels < 0, 0.0, -np.log(np.where(labels > 0.5, p, 1 - p))).reshape(len(truth), -1).sum(axis=1)


def with_temperature(space: Space, answers: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities at another temperature: above 1 less sure, the likeliest stays the likeliest (1706.04599).

    >>> from plait.layers.spaces import Categorical
    >>> with_temperature(Categorical(2), np.array([[0.8, 0.2]]), 2.0).round(2).tolist()
    [[0.67, 0.33]]
    """
    if temperature == 1.0 or _numbers(space):
        return answers
    p = np.clip(np.asarray(answers, dtype=np.float64), LEAST, 1 - LEAST)
    if _classes(space):
        logs = np.log(p) / temperature
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    odds = (np.log(p) - np.log1p(-p)) / temperature
    return 1 / (1 + np.exp(-odds))


def temperature_of(space: Space, answers: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that makes answers likeliest; 1 of numbers."""
    if _numbers(space):
        return 1.0
    p = np.clip(np.asarray(answers, dtype=np.float64), LEAST, 1 - LEAST)
    logits = np.log(p) if _classes(space) else np.log(p) - np.log1p(-p)
    return fit_temperature(torch.from_numpy(logits), truth, space.problems())


def mean_answers(answers: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted mean of several models' probabilities or numbers."""
    found: np.ndarray = np.average(np.asarray(answers, dtype=np.float64), axis=0, weights=weights)
    return found


def constant_answers(space: Space, truth: np.ndarray, rows: int) -> np.ndarray:
    """The same answer to each row: the classes' shares (none of them zero), the labels', or the mean."""
    if _numbers(space):
        return np.broadcast_to(truth.mean(axis=0), (rows, *truth.shape[1:])).astype(np.float64)
    if _classes(space):
        width = space.problems()[0].width
        share = (np.bincount(truth.astype(np.int64), minlength=width) + 1 / width) / (len(truth) + 1)
        return np.broadcast_to(share, (rows, width))
    known = np.where(truth < 0, np.nan, truth)
    share = (np.nansum(known, axis=0) + 0.5) / (np.sum(~np.isnan(known), axis=0) + 1)
    return np.broadcast_to(share, (rows, *truth.shape[1:]))
