"""Classes learned from a few examples each, in the space of a trained model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from plait.console import as_html
from plait.errors import DataError

Logits = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def prototypes(x: np.ndarray, y: np.ndarray, queries: np.ndarray, classes: int) -> np.ndarray:
    """`[Q, C]` cosines with the mean of each class's examples (1703.05175, with cosines as vectors have length one).

    Args:
        x: `[N, D]` examples, of length one.
        y: `[N]` their classes, 0 to C - 1.
        queries: `[Q, D]`.
        classes: C.
    """
    means = np.stack([x[y == c].mean(axis=0) for c in range(classes)])
    return queries @ (means / np.linalg.norm(means, axis=1, keepdims=True).clip(min=1e-12)).T


def linear_probe(x: np.ndarray, y: np.ndarray, queries: np.ndarray, classes: int, strength: float = 10.0) -> np.ndarray:
    """`[Q, C]` log-probabilities of a logistic regression; arguments as in `prototypes`.

    Args:
        strength: inverse of the regularisation (scikit-learn's C).
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=1000).fit(x, y)
    log_probabilities = np.full((len(queries), classes), -np.inf)
    log_probabilities[:, model.classes_] = model.predict_log_proba(queries)
    return log_probabilities


def cache(
    x: np.ndarray,
    y: np.ndarray,
    queries: np.ndarray,
    classes: int,
    text_logits: np.ndarray | None = None,
    sharpness: float = 5.5,
    weight: float = 1.0,
) -> np.ndarray:
    """`[Q, C]` logits of the class names, plus the votes of the examples, weighted by closeness (Tip-Adapter without
    training, 2111.03930); arguments as in `prototypes`.

    Args:
        text_logits: `[Q, C]` of the class names; None for the examples alone.
        sharpness: how fast the weight of an example falls with its distance (beta).
        weight: of the examples (alpha).
    """
    closeness = np.exp(-sharpness * (1 - queries @ x.T))
    example_logits = closeness @ np.eye(classes)[y]
    if text_logits is None:
        return example_logits
    return text_logits + weight * example_logits


@dataclass
class ShotCurve:
    """Accuracy of one method against examples a class.

    Args:
        method: its name.
        points: examples a class → accuracy in each draw of the examples.
    """

    method: str
    points: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class FewShotReport:
    """How accurate classes are told apart by a few examples of each.

    Args:
        label: the column of the classes.
        classes: their names.
        rows: how many were judged in each draw.
        zero_shot: accuracy by the class names alone; None where the run reads no text.
        curves: of each method.
    """

    label: str
    classes: list[str]
    rows: int
    zero_shot: float | None
    curves: list[ShotCurve]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the mean accuracy of each method."""
        shots = [str(count) for count in self.curves[0].points] if self.curves else []
        rows = [(one.method, *(float(np.mean(drawn)) for drawn in one.points.values())) for one in self.curves]
        named = "" if self.zero_shot is None else f", by the class names alone {self.zero_shot:.3f}"
        title = f"accuracy of {self.label} over {self.rows:,} rows{named}; examples a class:"
        return as_html(title, ["method", *shots], rows, shots)


def shot_curves(
    x: np.ndarray,
    labels: Sequence[Any],
    shots: Sequence[int],
    text_logits: Mapping[str, np.ndarray] | None,
    name: str = "label",
    draws: int = 5,
    seed: int = 0,
) -> FewShotReport:
    """Accuracy of prototypes, a linear probe and a cache over n examples a class, on the same rows and draws.

    Half of each class is kept to be judged in every draw; examples are drawn from the other half.

    Args:
        x: `[N, D]` vectors, of length one.
        labels: class of each.
        shots: examples a class.
        text_logits: class → `[N]` logits of its name; None where there are none.
        name: of the label column.
        draws: of the examples.
        seed: of the draws.

    Raises:
        DataError: fewer than two classes have examples and rows to judge left over.
    """
    # Only classes with enough rows for the largest number of examples, and as many again to judge.
    names, codes, counts = np.unique([str(label) for label in labels], return_inverse=True, return_counts=True)
    most = max(shots, default=0)
    class_codes = np.flatnonzero(counts // 2 >= most)
    if len(class_codes) < 2 or not most:
        raise DataError(
            f"{name}: {len(class_codes)} classes have {2 * most} rows or more, half of them to judge by; ask for fewer "
            f"examples than --shots {most}"
        )
    rows = np.flatnonzero(np.isin(codes, class_codes))
    x, y = x[rows], np.searchsorted(class_codes, codes[rows])
    texts = None if text_logits is None else np.stack([text_logits[str(names[c])][rows] for c in class_codes], axis=1)

    # The split into examples and judged rows is drawn once, so that all points of a curve are judged alike.
    random = np.random.default_rng(seed)
    shuffled = [random.permutation(np.flatnonzero(y == c)) for c in range(len(class_codes))]
    pools = [order[: len(order) // 2] for order in shuffled]
    judged = np.concatenate([order[len(order) // 2 :] for order in shuffled])

    # All methods see the same examples in each draw.
    methods: dict[str, Callable[..., np.ndarray]] = {"prototypes": prototypes, "linear probe": linear_probe}
    curves = {method: ShotCurve(method) for method in (*methods, "cache")}
    for shot in shots:
        for _ in range(draws):
            examples = np.concatenate([random.choice(pool, shot, replace=False) for pool in pools])
            arguments = (x[examples], y[examples], x[judged], len(class_codes))
            logits_by_method = {method: answer(*arguments) for method, answer in methods.items()}
            logits_by_method["cache"] = cache(*arguments, None if texts is None else texts[judged])
            for method, logits in logits_by_method.items():
                share = float((logits.argmax(axis=1) == y[judged]).mean())
                curves[method].points.setdefault(shot, []).append(share)
    zero_shot = None if texts is None else float((texts[judged].argmax(axis=1) == y[judged]).mean())
    return FewShotReport(name, [str(names[c]) for c in class_codes], len(judged), zero_shot, list(curves.values()))
