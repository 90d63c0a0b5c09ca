"""A fold of a comparison, and what a training run on it answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.data.batches import Source
from plait.tasks import Targets


@dataclass
class Answer:
    """What one training run gave: answers to the fold's test rows, and what they cost."""

    rows: np.ndarray
    predictions: np.ndarray
    score: float
    costs: dict[str, float]


@dataclass
class Fold:
    """One fold's rows, and the table as it is read there."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    inputs: Mapping[str, Any]
    targets: Targets
    source: Source
    truth: np.ndarray  # of all rows of the table
    weights: np.ndarray | None = None  # likewise: how much each counts in training
