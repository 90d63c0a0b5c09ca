"""Metrics of classification, multi-label and regression, in numpy: a comparison takes each of them thousands of times.

scikit-learn gives the same numbers (tested), but takes longer to check arguments than to count.

`METRICS` maps a name to its function, which kinds of task it fits and which way is better. A metric that a table
does not allow (ROC-AUC where the truth holds one class) is left out of the result rather than invented.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from plait.errors import RecipeError, unknown

Function = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Args:
        function: `(truth, prediction) -> float`. Classification: truth `[N]` codes, prediction `[N, C]`
            probabilities. Multi-label: truth `[N, L]` 0 or 1, prediction `[N, L]` probabilities.
            Regression: both `[N]`.
        kinds: task types that it fits.
        higher_is_better: which way is better.
        of_answers: it counts right answers, whatever their probability.
    """

    function: Function
    kinds: tuple[str, ...]
    higher_is_better: bool = True
    of_answers: bool = False


def _accuracy(truth: np.ndarray, p: np.ndarray) -> float:
    if truth.ndim == 2:
        return float(((p >= 0.5) == (truth > 0.5)).all(axis=1).mean())
    return float((p.argmax(axis=1) == truth).mean())


def _balanced_accuracy(truth: np.ndarray, p: np.ndarray) -> float:
    """The mean, over the classes that the truth has, of the share of their rows that is answered rightly."""
    counts = np.bincount(truth)
    hits = np.bincount(truth, weights=p.argmax(axis=1) == truth)
    return float((hits[counts > 0] / counts[counts > 0]).mean())


def _f1_macro(truth: np.ndarray, p: np.ndarray) -> float:
    """The mean over the labels, or over the classes that the truth or the answers have; a label in neither counts 0."""
    hits, sizes = _hits(truth, p)
    if truth.ndim == 1:
        hits, sizes = hits[sizes > 0], sizes[sizes > 0]
    return float((2 * hits / np.maximum(sizes, 1)).mean())


def _f1_micro(truth: np.ndarray, p: np.ndarray) -> float:
    hits, sizes = _hits(truth, p)
    return float(2 * hits.sum() / max(sizes.sum(), 1))


def _hits(truth: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each class or label: rows where it is rightly answered, and rows that have it plus rows that answer it."""
    if truth.ndim == 2:
        present, answered = truth > 0.5, p >= 0.5
        return (present & answered).sum(axis=0), present.sum(axis=0) + answered.sum(axis=0)
    answers, count = p.argmax(axis=1), max(p.shape[1], truth.max() + 1)
    hits = np.bincount(truth[answers == truth], minlength=count)
    return hits, np.bincount(truth, minlength=count) + np.bincount(answers, minlength=count)


def _roc_auc(truth: np.ndarray, p: np.ndarray) -> float:
    """Binary: of class 1. Otherwise the mean over classes (one against the rest) that the truth both has and lacks."""
    return _per_class(_auc_of_one, truth, p)


def _average_precision(truth: np.ndarray, p: np.ndarray) -> float:
    return _per_class(_precision_of_one, truth, p)


def _auc_of_one(truth: np.ndarray, p: np.ndarray) -> float:
    """The share of pairs of a positive and a negative row that stand in the right order; a tie is half of one."""
    counts, positives = _by_score(truth, p)
    negatives = counts - positives
    above = np.cumsum(positives) - positives / 2
    return float((negatives * above).sum() / (positives.sum() * negatives.sum()))


def _precision_of_one(truth: np.ndarray, p: np.ndarray) -> float:
    """The mean over positive rows of the precision among all rows that score as high."""
    counts, positives = _by_score(truth, p)
    return float((positives * np.cumsum(positives) / np.cumsum(counts)).sum() / positives.sum())


def _by_score(truth: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and positive rows of each distinct score, the highest first."""
    _, place = np.unique(-p, return_inverse=True)
    return np.bincount(place), np.bincount(place, weights=truth > 0.5)


def _per_class(function: Callable[..., float], truth: np.ndarray, p: np.ndarray) -> float:
    if truth.ndim == 1:
        truth = truth[:, None] == np.arange(p.shape[1])
        if p.shape[1] == 2:
            truth, p = truth[:, 1:], p[:, 1:]
    shares = truth.mean(axis=0)
    scored = [function(truth[:, c], p[:, c]) for c in range(p.shape[1]) if 0 < shares[c] < 1]
    return float(np.mean(scored)) if scored else float("nan")


def _log_loss(truth: np.ndarray, p: np.ndarray) -> float:
    chosen = np.take_along_axis(p, truth[:, None], axis=1)[:, 0]
    return float(-np.log(np.clip(chosen, 1e-7, 1)).mean())


BINS = 15  # of the probability of the answer


def reliability(truth: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bin that has rows: the mean probability of the answers, the share that is right, and the rows.

    Fifteen bins of equal width, as is usual (1706.04599).
    """
    sure, right = p.max(axis=1), p.argmax(axis=1) == truth
    bins = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.bincount(bins, minlength=BINS)
    some = rows > 0
    means = [np.bincount(bins, weights=values, minlength=BINS)[some] / rows[some] for values in (sure, right)]
    return means[0], means[1], rows[some]


def _ece(truth: np.ndarray, p: np.ndarray) -> float:
    """Expected calibration error: how far the probability of the answer is from how often it is right."""
    sure, right, rows = reliability(truth, p)
    return float((np.abs(sure - right) * rows).sum() / rows.sum())


def _mae(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.abs(truth - p).mean())


def _rmse(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.sqrt(np.square(truth - p).mean()))


def _r2(truth: np.ndarray, p: np.ndarray) -> float:
    if len(truth) < 2:
        return float("nan")
    left, spread = np.square(truth - p).sum(), np.square(truth - truth.mean()).sum()
    return float(1 - left / spread) if spread > 0 else float(left == 0)


def _pearson(truth: np.ndarray, p: np.ndarray) -> float:
    if len(truth) < 2 or truth.std() == 0 or p.std() == 0:
        return float("nan")
    return float(np.corrcoef(truth, p)[0, 1])


CLASSES, LABELS, NUMBERS = ("classification",), ("multilabel",), ("regression",)

METRICS: dict[str, Metric] = {
    "accuracy": Metric(_accuracy, CLASSES + LABELS, of_answers=True),
    "balanced_accuracy": Metric(_balanced_accuracy, CLASSES, of_answers=True),
    "f1_macro": Metric(_f1_macro, CLASSES + LABELS, of_answers=True),
    "f1_micro": Metric(_f1_micro, LABELS, of_answers=True),
    "roc_auc": Metric(_roc_auc, CLASSES + LABELS),
    "average_precision": Metric(_average_precision, CLASSES + LABELS),
    "log_loss": Metric(_log_loss, CLASSES, higher_is_better=False),
    "ece": Metric(_ece, CLASSES, higher_is_better=False),
    "mae": Metric(_mae, NUMBERS, higher_is_better=False),
    "rmse": Metric(_rmse, NUMBERS, higher_is_better=False),
    "r2": Metric(_r2, NUMBERS),
    "pearson": Metric(_pearson, NUMBERS),
}


def fitting(kind: str) -> dict[str, bool]:
    """The metrics of a kind of task, and whether higher is better."""
    return {name: metric.higher_is_better for name, metric in METRICS.items() if kind in metric.kinds}


def score(kind: str, truth: np.ndarray, prediction: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
    """Every metric that fits a kind of task, or the named ones; those that can't be computed are left out.

    Raises:
        RecipeError: a name is unknown or does not fit.

    >>> score("regression", np.array([1.0, 2.0]), np.array([1.0, 4.0]), ["mae"])
    {'mae': 1.0}
    """
    valid_names = list(fitting(kind))
    for name in names or ():
        if name not in valid_names:
            raise RecipeError(unknown(f"metric of {kind}", name, valid_names))
    if not len(truth):
        return {}
    values = {name: METRICS[name].function(truth, prediction) for name in (valid_names if names is None else names)}
    return {name: value for name, value in values.items() if np.isfinite(value)}
