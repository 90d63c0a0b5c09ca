"""Figures that several tasks draw, and the check whether another run has the same classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plait.metrics.predict import reliability
from plait.tasks.task import Figure
from plait.values import as_text

MOST_CLASSES, MOST_LABELS = 24, 30  # that get a row or a bar of their own


def differing_classes(task: Any, other: Any) -> str | None:
    """Why raw predictions over other classes can't be learned from; None where they are the same, in the same order."""
    same = [as_text(name) for name in task.classes] == [as_text(name) for name in other.classes]
    return None if same else "other classes"


def confusion_of(truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[Any]) -> Figure:
    """The confusion matrix; of more than 24 classes, the most frequent ones and all others together."""
    predicted = probabilities.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (truth, predicted), 1)
    if len(classes) <= MOST_CLASSES:
        return Figure("confusion", (counts, list(classes)))
    # Classes are renumbered by frequency, and all that are too rare share the last number.
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    place = np.full(len(classes), MOST_CLASSES)
    place[order[:MOST_CLASSES]] = np.arange(MOST_CLASSES)
    merged = np.zeros((MOST_CLASSES + 1, MOST_CLASSES + 1))
    np.add.at(merged, (place[truth], place[predicted]), 1)
    return Figure("confusion", (merged, [classes[i] for i in order[:MOST_CLASSES]] + ["others"]))


def reliability_of(truth: np.ndarray, probabilities: np.ndarray) -> Figure:
    """How often answers are right, by how likely they are held, and how many rows those are."""
    return Figure("reliability", reliability(truth, probabilities))


def label_f1(truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """F1 of the most frequent labels."""
    predicted, actual = probabilities >= 0.5, truth > 0.5
    hits = (predicted & actual).sum(axis=0)
    f1 = 2 * hits / np.maximum(predicted.sum(axis=0) + actual.sum(axis=0), 1)
    order = np.argsort(-actual.sum(axis=0), kind="stable")[:MOST_LABELS]
    return {classes[i]: float(f1[i]) for i in order}
