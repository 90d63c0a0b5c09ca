"""Dynamic time warping: how far two sequences are apart when time may stretch, and which steps belong together."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Warping(NamedTuple):
    """How two sequences were brought together.

    Args:
        distance: the root of the summed squared distances along the path.
        path: `[L, 2]` int64 pairs of steps, from the first of both to the last of both.
    """

    distance: float
    path: np.ndarray


def dtw(one_TC: np.ndarray, other_SC: np.ndarray, window: int | None = None) -> Warping:
    """The cheapest way to bring two sequences together in order (Sakoe and Chiba, 1978), as tslearn and dtaidistance
    count it: squared Euclidean distances are summed, and the root is taken at the end.

    Args:
        one_TC, other_SC: `[T]` or `[T, C]`, `[S]` or `[S, C]`; channels alike.
        window: steps that two that belong together may be apart, the longer one's surplus allowed; None for any.

    Raises:
        ValueError: a sequence is empty, or they differ in channels.

    >>> dtw(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 2.0])).path.tolist()
    [[0, 0], [0, 1], [1, 2], [2, 3]]
    """
    one, other = (x[:, None] if x.ndim == 1 else x for x in (np.asarray(one_TC, float), np.asarray(other_SC, float)))
    if not len(one) or not len(other) or one.shape[1] != other.shape[1]:
        raise ValueError(f"expected two sequences of alike channels, got {one.shape} and {other.shape}")
    cost = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    if window is not None:
        allowed = max(window, abs(len(one) - len(other)))
        apart = np.abs(np.arange(len(one))[:, None] - np.arange(len(other))[None])
        cost = np.where(apart <= allowed, cost, np.inf)
    total = np.full((len(one) + 1, len(other) + 1), np.inf)
    total[0, 0] = 0.0
    # By diagonals, on which no cell depends on another.
    for diagonal in range(len(one) + len(other) - 1):
        i = np.arange(max(0, diagonal - len(other) + 1), min(diagonal, len(one) - 1) + 1)
        j = diagonal - i
        best = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = cost[i, j] + best
    row, column = len(one) - 1, len(other) - 1
    path = [(row, column)]
    while row or column:
        before = (
            (total[row, column], row - 1, column - 1),
            (total[row, column + 1], row - 1, column),
            (total[row + 1, column], row, column - 1),
        )
        _, row, column = min(before, key=lambda step: float(step[0]))
        path.append((row, column))
    return Warping(float(np.sqrt(total[-1, -1])), np.array(path[::-1]))


def soft_dtw(one_BTC: Tensor, other_BSC: Tensor, gamma: float = 1.0) -> Tensor:
    """`[B]` soft dynamic time warping (1703.01541), which has gradients: the softened minimum over all ways.

    Args:
        one_BTC, other_BSC: whole sequences, without padding.
        gamma: how soft; at 0 it would be the squared distance of `dtw`.

    Raises:
        ValueError: they differ in rows or channels, or gamma is not above 0.

    >>> soft_dtw(torch.zeros(1, 3, 1), torch.zeros(1, 3, 1), gamma=1e-3).abs().max() < 0.01
    tensor(True)
    """
    if gamma <= 0:
        raise ValueError(f"gamma: expected a number above 0, got {gamma}")
    if one_BTC.shape[0] != other_BSC.shape[0] or one_BTC.shape[2] != other_BSC.shape[2]:
        raise ValueError(f"expected rows and channels alike, got {tuple(one_BTC.shape)} and {tuple(other_BSC.shape)}")
    cost = (one_BTC.unsqueeze(2) - other_BSC.unsqueeze(1)).square().sum(dim=3)
    rows, long, wide = cost.shape
    never = cost.new_full((rows,), torch.inf)
    # The diagonals before, by i; what lies outside of the table is never taken.
    last: dict[int, Tensor] = {}
    before: dict[int, Tensor] = {}
    for diagonal in range(long + wide - 1):
        here: dict[int, Tensor] = {}
        first, end = max(0, diagonal - wide + 1), min(diagonal, long - 1)
        i = torch.arange(first, end + 1)
        ways = torch.stack(
            [
                torch.stack([table.get(int(k) + step, never) for k in i], dim=1)
                for table, step in ((before, -1), (last, -1), (last, 0))
            ]
        )
        if diagonal == 0:
            softened = cost.new_zeros(rows, 1)
        else:
            softened = -gamma * torch.logsumexp(-ways / gamma, dim=0)
        values = cost[:, i, diagonal - i] + softened
        here = {int(k): values[:, place] for place, k in enumerate(i)}
        before, last = last, here
    return last[long - 1]
