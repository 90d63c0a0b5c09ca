"""From probabilities at steps in time to events, and back: peaks and runs."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

LEAST = 0.01  # what is less probable is no candidate
MOST = 100  # candidates of a label in a recording
EDGE = 1e-4  # seconds
Find = Literal["peaks", "spans"]


def found_events(steps: np.ndarray, labels: int, length: float, find: Find) -> np.ndarray:
    """Events among the steps of one recording, the most certain of each label first.

    A peak is the most probable step within half a length on either side. An event lies there with the probability of
    the steps around it together, and reaches half a length to either side. A span goes from a peak as far as steps have
    half of its probability; its score is their mean.

    Args:
        steps: `[T, labels + 2]` probability of each label, start and end of the step in seconds.
        labels: how many.
        length: seconds of an event, of peaks.
        find: `peaks` or `spans`.

    Returns:
        `[P, 4]` float64: start, end, label, score.

    >>> steps = np.array([[0.0, 0, 1], [0.9, 1, 2], [0.8, 2, 3], [0.1, 3, 4]])
    >>> found_events(steps, 1, 0.0, "spans").round(2).tolist()
    [[1.0, 3.0, 0.0, 0.85], [3.0, 4.0, 0.0, 0.1]]
    >>> found_events(steps[:2], 1, 0.5, "peaks").tolist()
    [[1.25, 1.75, 0.0, 0.9]]
    """
    steps = steps[np.argsort(steps[:, labels], kind="stable")].astype(np.float64)
    start, end = steps[:, labels], steps[:, labels + 1]
    events = []
    for label in range(labels):
        p = steps[:, label]
        found = _peaks(p, (start + end) / 2, length) if find == "peaks" else _spans(p, *_edges(start, end))
        events += [[*event[:2], label, event[2]] for event in found[:MOST]]
    return np.array(events, np.float64).reshape(-1, 4)


def _peaks(p: np.ndarray, middle: np.ndarray, length: float) -> list[tuple[float, float, float]]:
    """Start, end and score of peaks, the most certain first."""
    gap = float(np.median(np.diff(middle))) if len(middle) > 1 else 0.0
    reach = max(length / 2, 1.01 * gap)  # the next step at least: a moment between two is in both
    free = p >= LEAST
    found = []
    for top in np.argsort(-p, kind="stable"):
        if not free[top]:
            continue
        near = np.abs(middle - middle[top]) <= reach
        score = float(min(1.0, p[near & free].sum()))
        # Where the event lies between steps, both are probable: its moment is between them, too.
        beside = near & free & (np.abs(middle - middle[top]) <= 1.01 * gap)
        moment = float((p[beside] * middle[beside]).sum() / p[beside].sum())
        found.append((moment - length / 2, moment + length / 2, score))
        free &= ~near
    return sorted(found, key=lambda event: -event[2])


def _spans(p: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[tuple[float, float, float]]:
    """Start, end and score of runs, the most certain first."""
    free = p >= LEAST
    found = []
    for top in np.argsort(-p, kind="stable"):
        if not free[top]:
            continue
        inside = free & (p >= p[top] / 2)
        first, last = top, top
        while first > 0 and inside[first - 1]:
            first -= 1
        while last + 1 < len(p) and inside[last + 1]:
            last += 1
        found.append((float(low[first]), float(high[last]), float(p[first : last + 1].mean())))
        free[first : last + 1] = False
    return sorted(found, key=lambda event: -event[2])


def _edges(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each step stands for: up to half way to the next one where they overlap or have no length."""
    middle = (start + end) / 2
    low, high = start.copy(), end.copy()
    if len(middle) > 1:
        between = (middle[1:] + middle[:-1]) / 2
        touch = (start[1:] < end[:-1]) | (end[:-1] <= start[:-1]) | (end[1:] <= start[1:])
        low[1:] = np.where(touch, between, start[1:])
        high[:-1] = np.where(touch, between, end[:-1])
    return low, high


def step_targets(steps: Tensor, mask: Tensor, events: Tensor, labels: int, find: Find) -> Tensor:
    """What is true at each step: of peaks the step of an event's middle, or the nearest; of spans all steps within it.

    Args:
        steps: `[B, T, 2]` start and end of each step in seconds.
        mask: `[B, T]` bool, real steps.
        events: `[B, E, 3]` start, end and label; NaN where there is none, label -1 in a row whose events are unknown.
        labels: how many.
        find: `peaks` or `spans`.

    Returns:
        `[B, T, labels]` 1 or 0; NaN in rows whose events are unknown. An event outside of its recording is at no step.

    >>> steps = torch.tensor([[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]])
    >>> events = torch.tensor([[[0.9, 2.6, 0.0]]])
    >>> mask = torch.ones(1, 3, dtype=torch.bool)
    >>> [step_targets(steps, mask, events, 1, find).flatten().tolist() for find in ("peaks", "spans")]
    [[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]]
    """
    middle = steps.mean(dim=2)
    out = middle.new_zeros(*middle.shape, labels)
    if events.shape[1]:
        start, end, label = (values.to(middle.dtype) for values in events.unbind(dim=2))
        moment = (start + end) / 2  # [B, E]
        first = steps[..., 0].masked_fill(~mask, float("inf")).amin(dim=1, keepdim=True)
        last = steps[..., 1].masked_fill(~mask, float("-inf")).amax(dim=1, keepdim=True)
        here = (label >= 0) & (end >= first) & (start <= last)
        away = (middle.unsqueeze(1) - moment.unsqueeze(2)).abs()
        # A step in which it lies comes before one that is nearer; on the edge of two, rounding must not choose.
        low, high = (steps[..., side].unsqueeze(1) - EDGE for side in (0, 1))
        inside = (moment.unsqueeze(2) >= low) & (moment.unsqueeze(2) < high)
        away = torch.where(inside, away - away.nan_to_num().amax() - 1, away)
        away = away.masked_fill(~mask.unsqueeze(1), float("inf"))
        at = torch.zeros_like(away, dtype=torch.bool)  # [B, E, T]
        at.scatter_(2, away.nan_to_num(posinf=float("inf")).argmin(dim=2, keepdim=True), True)
        if find == "spans":
            at |= (middle.unsqueeze(1) >= start.unsqueeze(2)) & (middle.unsqueeze(1) <= end.unsqueeze(2))
        at &= here.unsqueeze(2)
        which = torch.nn.functional.one_hot(label.clamp(min=0).nan_to_num().long(), max(labels, 1)).bool()
        out = (at.unsqueeze(3) & which.unsqueeze(2)).any(dim=1).to(middle.dtype)
        unknown = (label == -1).any(dim=1)
        out[unknown] = float("nan")
    return out
