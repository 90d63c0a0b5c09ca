"""A temperature that makes probabilities mean what they say (1706.04599)."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plait.layers.spaces import Problem

MOST = 6.0  # the logarithm to base 2 of the highest temperature, and minus that of the lowest


def fit_temperature(logits: Tensor, truth: np.ndarray, problems: Sequence[Problem]) -> float:
    """The temperature at which rows that were not learned from are likeliest.

    Above 1 makes surer models less sure, below 1 surer; the likeliest class stays the likeliest.

    Args:
        logits: `[N, W]` raw predictions of these rows.
        truth: `[N]` classes or `[N, L]` labels, negative or NaN where there is none.
        problems: of the target's space.

    >>> from plait.layers.spaces import Categorical
    >>> logits = torch.tensor([[4.0, 0.0]] * 4)
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1]), Categorical(2).problems()), 1)  # right in three of four
    3.6
    """
    logits = logits.double()
    parts = []
    for problem in problems:
        known, y = problem.known(truth)
        where = slice(problem.start, problem.start + problem.width)
        parts.append((logits[torch.from_numpy(known)][:, where], torch.from_numpy(y)))

    def loss(power: float) -> float:
        total, count = 0.0, 0
        for said, y in parts:
            warm = said / 2.0**power
            if warm.shape[1] > 1:
                total += float(F.cross_entropy(warm, y, reduction="sum"))
            else:
                total += float(F.binary_cross_entropy_with_logits(warm[:, 0], y.double(), reduction="sum"))
            count += len(y)
        return total / max(1, count)

    # The loss has one minimum: a coarse look and a close one find it.
    coarse = min(np.linspace(-MOST, MOST, 61), key=loss)
    return float(2.0 ** min(np.linspace(coarse - 0.2, coarse + 0.2, 41), key=loss))
