"""Metrics of events in time: how many of those that happen are found, and found where they are.

The greedy matching and the interpolated precision of ActivityNet's evaluation, in numpy. Two things differ: events of
equal scores count at once, so that no order of a file changes a number; and a label of which the truth has no event
is left out of the mean.
"""

from collections.abc import Callable, Sequence

import numpy as np

OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # of lengths: intersection over union
SECONDS = (0.1, 0.25, 0.5, 1.0)  # between middles

Closeness = Callable[[np.ndarray, np.ndarray], np.ndarray]
Matches = dict[int, tuple[np.ndarray, np.ndarray, int]]


def temporal_iou(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Intersection over union of stretches of time; 0 where both have no length.

    Args:
        found: `[P, 2]` start and end.
        true: `[G, 2]`.

    Returns:
        `[P, G]`.

    >>> temporal_iou(np.array([[0.0, 2.0]]), np.array([[1.0, 3.0], [5.0, 6.0]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    low = np.maximum(found[:, None, 0], true[None, :, 0])
    high = np.minimum(found[:, None, 1], true[None, :, 1])
    both = (high - low).clip(min=0)
    union = (found[:, 1] - found[:, 0])[:, None] + (true[:, 1] - true[:, 0])[None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def apart(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """`[P, G]` seconds between middles, as negative numbers, so that more is closer."""
    return -np.abs(found.mean(axis=1)[:, None] - true.mean(axis=1)[None])


def matched(closeness: np.ndarray, least: Sequence[float]) -> np.ndarray:
    """Which found events are right, where each true one is found once at most.

    Args:
        closeness: `[P, G]` of found events, the most certain first, to true ones.
        least: `[K]` how close is close enough.

    Returns:
        `[K, P]` bool.
    """
    right = np.zeros((len(least), len(closeness)), dtype=bool)
    nearest_first = np.argsort(-closeness, axis=1, kind="stable")
    for k, enough in enumerate(least):
        taken: set[int] = set()
        for p, order in enumerate(nearest_first):
            for g in order.tolist():
                if closeness[p, g] < enough:
                    break
                if g not in taken:
                    taken.add(g)
                    right[k, p] = True
                    break
    return right


def average_precision(right: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """The area under precision over recall, with the best precision at that recall or above.

    Args:
        right: `[K, P]` bool, whether a found event is right.
        scores: `[P]` how certain each is.
        count: true events.

    Returns:
        `[K]`.

    >>> average_precision(np.array([[True, False, True]]), np.array([0.9, 0.8, 0.7]), 2).round(4).tolist()
    [0.8333]
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1) if len(order) else np.empty(0, np.int64)
    hits = np.cumsum(right[:, order], axis=1)[:, ends]
    precision = hits / (ends + 1)
    recall = hits / count
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: np.ndarray = (np.diff(recall, axis=1, prepend=0) * best).sum(axis=1)
    return area


def precision_by_label(
    truth: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    least: Sequence[float] = OVERLAPS,
    closeness: Closeness = temporal_iou,
) -> dict[int, np.ndarray]:
    """Average precision of each label that the truth has, at each closeness.

    Args:
        truth: of each recording `[G, 3]` start, end and label.
        found: of each recording `[P, 4]` start, end, label and score.
        least: how close is close enough.
        closeness: by what events are compared: `temporal_iou`, or `apart` with seconds as negative numbers.

    Returns:
        label → `[K]`.

    >>> truth = [np.array([[0.0, 1.0, 0], [2.0, 3.0, 0]])]
    >>> found = [np.array([[0.0, 1.0, 0, 0.9], [5.0, 6.0, 0, 0.8], [2.0, 2.6, 0, 0.7]])]
    >>> precision_by_label(truth, found, [0.5, 0.7])[0].round(4).tolist()
    [0.8333, 0.5]
    """
    return precision_of([matches(true, events, least, closeness) for true, events in zip(truth, found, strict=True)])


def matches(
    true: np.ndarray, found: np.ndarray, least: Sequence[float] = OVERLAPS, closeness: Closeness = temporal_iou
) -> Matches:
    """Which events of one recording are right, by label; see `precision_by_label`.

    Returns:
        label → `[K, P]` bool, `[P]` scores, and how many are true.
    """
    of_label: Matches = {}
    for label in {*true[:, 2].tolist(), *found[:, 2].tolist()}:
        here, events = true[true[:, 2] == label], found[found[:, 2] == label]
        events = events[np.argsort(-events[:, 3], kind="stable")]
        right = matched(closeness(events[:, :2], here[:, :2]), least)
        of_label[int(label)] = (right, events[:, 3], len(here))
    return of_label


def precision_of(recordings: Sequence[Matches]) -> dict[int, np.ndarray]:
    """Average precision of each label that is true anywhere, `[K]`, from the matches of each recording."""
    scored: dict[int, np.ndarray] = {}
    for label in sorted({label for one in recordings for label, (_, _, count) in one.items() if count}):
        rights, scores, counts = zip(*(one[label] for one in recordings if label in one), strict=True)
        scored[label] = average_precision(np.concatenate(rights, axis=1), np.concatenate(scores), sum(counts))
    return scored


def f1_of_answers(truth: Sequence[np.ndarray], found: Sequence[np.ndarray], overlap: float = 0.5) -> float:
    """F1 of answers as they stand: right where label and at least so much of the time agree; all labels together.

    Args:
        truth, found: as in `precision_by_label`; scores only say who is matched first.
        overlap: intersection over union.
    """
    hits = total = 0
    for true, events in zip(truth, found, strict=True):
        events = events[np.argsort(-events[:, 3], kind="stable")]
        close = temporal_iou(events[:, :2], true[:, :2])
        close = np.where(events[:, 2][:, None] == true[:, 2][None], close, -1.0)
        hits += int(matched(close, [overlap]).sum())
        total += len(true) + len(events)
    return 2 * hits / total if total else float("nan")


def best_threshold(recordings: Sequence[Matches]) -> tuple[float, float]:
    """The score from which on answers have the best F1, of equally good ones the nearest to one half; and that F1.

    Args:
        recordings: matches of each at one closeness, `K` = 1.

    >>> true = np.array([[0.0, 1.0, 0], [2.0, 3.0, 0]])
    >>> found = np.array([[0.0, 1.0, 0, 0.4], [2.0, 3.0, 0, 0.3], [5.0, 6.0, 0, 0.1]])
    >>> threshold, f1 = best_threshold([matches(true, found, [0.5])])
    >>> round(threshold, 4), f1
    (0.2, 1.0)
    """
    parts = [(right[0], scores) for one in recordings for right, scores, _ in one.values()]
    count = sum(count for one in recordings for _, _, count in one.values())
    scores = np.concatenate([scores for _, scores in parts]) if parts else np.empty(0)
    if not len(scores) or not count:
        return 0.5, float("nan")
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(np.concatenate([right for right, _ in parts])[order])
    f1 = 2 * hits / (count + np.arange(1, len(hits) + 1))
    below = np.append(scores[1:], 0.0)
    ends = below < scores  # answers of one score come together
    edges, f1 = ((scores + below) / 2)[ends], f1[ends]
    equal = edges[f1 >= f1.max() - 1e-12]
    return float(equal[np.abs(equal - 0.5).argmin()]), float(f1.max())
