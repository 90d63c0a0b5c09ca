"""Metrics of classification, multi-label and regression, by scikit-learn and numpy.

`METRICS` maps a name to its function, which kinds of task it fits and which way is better. A metric that a table
does not allow (ROC-AUC where the truth holds one class) is left out of the result rather than invented.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """

    function: Function
    kinds: tuple[str, ...]
    higher_is_better: bool = True


def _sklearn() -> Any:
    """Imported when a metric is first taken: two seconds that predicting and serving do without."""
    from sklearn import metrics

    return metrics


def _accuracy(truth: np.ndarray, p: np.ndarray) -> float:
    if truth.ndim == 2:
        return float(((p >= 0.5) == (truth > 0.5)).all(axis=1).mean())
    return float((p.argmax(axis=1) == truth).mean())


def _balanced_accuracy(truth: np.ndarray, p: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a predicted class that the truth lacks is no news here
        return float(_sklearn().balanced_accuracy_score(truth, p.argmax(axis=1)))


def _f1(average: str) -> Function:
    def f1(truth: np.ndarray, p: np.ndarray) -> float:
        predicted = (p >= 0.5).astype(int) if truth.ndim == 2 else p.argmax(axis=1)
        return float(_sklearn().f1_score(truth, predicted, average=average, zero_division=0))

    return f1


def _roc_auc(truth: np.ndarray, p: np.ndarray) -> float:
    """Binary: of class 1. Otherwise the mean over classes (one against the rest) that the truth both has and lacks."""
    return _per_class(_sklearn().roc_auc_score, truth, p)


def _average_precision(truth: np.ndarray, p: np.ndarray) -> float:
    return _per_class(_sklearn().average_precision_score, truth, p)


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


def _mae(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.abs(truth - p).mean())


def _rmse(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.sqrt(np.square(truth - p).mean()))


def _r2(truth: np.ndarray, p: np.ndarray) -> float:
    return float(_sklearn().r2_score(truth, p)) if len(truth) > 1 else float("nan")


def _pearson(truth: np.ndarray, p: np.ndarray) -> float:
    if len(truth) < 2 or truth.std() == 0 or p.std() == 0:
        return float("nan")
    return float(np.corrcoef(truth, p)[0, 1])


CLASSES, LABELS, NUMBERS = ("classification",), ("multilabel",), ("regression",)

METRICS: dict[str, Metric] = {
    "accuracy": Metric(_accuracy, CLASSES + LABELS),
    "balanced_accuracy": Metric(_balanced_accuracy, CLASSES),
    "f1_macro": Metric(_f1("macro"), CLASSES + LABELS),
    "f1_micro": Metric(_f1("micro"), LABELS),
    "roc_auc": Metric(_roc_auc, CLASSES + LABELS),
    "average_precision": Metric(_average_precision, CLASSES + LABELS),
    "log_loss": Metric(_log_loss, CLASSES, higher_is_better=False),
    "mae": Metric(_mae, NUMBERS, higher_is_better=False),
    "rmse": Metric(_rmse, NUMBERS, higher_is_better=False),
    "r2": Metric(_r2, NUMBERS),
    "pearson": Metric(_pearson, NUMBERS),
}


def score(kind: str, truth: np.ndarray, prediction: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
    """Every metric that fits a kind of task, or the named ones; those that can't be computed are left out.

    Raises:
        RecipeError: a name is unknown or does not fit.

    >>> score("regression", np.array([1.0, 2.0]), np.array([1.0, 4.0]), ["mae"])
    {'mae': 1.0}
    """
    fitting = [name for name, metric in METRICS.items() if kind in metric.kinds]
    for name in names or ():
        if name not in fitting:
            raise RecipeError(unknown(f"metric of {kind}", name, fitting))
    if not len(truth):
        return {}
    values = {name: METRICS[name].function(truth, prediction) for name in (fitting if names is None else names)}
    return {name: value for name, value in values.items() if np.isfinite(value)}
