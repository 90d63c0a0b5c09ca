"""plait's winner against tuned linear and kernel heads of scikit-learn: the same features, rows and folds.

Tux Paint kinds, 1,500 questions of easy-VQA and the sentiment of emoji, which plait's defaults have seen, and two
tables of 300 rows that were held back: groups of emoji, kinds of clip art. scikit-learn's heads read the features that
the comparison's frozen encoders stored, each modality centred and scaled to mean squared norm 1, and choose their
strength within the training rows; nothing of plait's own heads is in them. Of the winner that is picked on the other
folds, the difference to the linear head has an interval: a bootstrap of the same draws of rows for both.
"""

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from benchmarks.decisions import TABLES
from benchmarks.measure import Row, row
from plait.compare import compare
from plait.compare.evidence import Evidence
from plait.compare.experiment import Experiment
from plait.compare.judging import judge
from plait.data.readers import open_table
from plait.datasets import get_dataset
from plait.metrics.bootstrap import interval
from plait.recipe import Recipe
from plait.runs.presets import apply_preset, preset_of

PRESET, FOLDS = "fast", 5
INNER: dict[str, Any] = {"n_splits": 3, "shuffle": True, "random_state": 0}  # tables may be sorted by class
HELD_BACK = {
    "emoji": ({"types": {"tags": "ignore", "subgroup": "ignore"}}, "group", 300),
    "openclipart": ({"types": {"keywords": "ignore", "group": "ignore"}}, "kind", 300),
}


def run() -> list[Row]:
    """Scores over all rows, each answered out of fold; the ratio is to scikit-learn's linear head."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, target, most) in {**TABLES, **HELD_BACK}.items():
            table = get_dataset(name, Path(folder) / name)[0]
            values = {"data": {**data, "train": str(table)}, "task": {"target": target}}
            recipe, _ = apply_preset(Recipe.parse(values), PRESET)
            methods = preset_of(PRESET).methods
            with mock.patch("plait.compare.session.judge", wraps=judge) as judging:
                found = compare(recipe, output=Path(folder) / f"c-{name}", fusions=methods, rows=most, verbose=False)
            crossed = found.best_cross_fitted
            assert crossed is not None
            theirs, answers = _scikit_learn(Experiment(recipe, open_table(table), FOLDS, False, most))
            linear = next(iter(theirs.values()))
            low, high = _difference(*judging.call_args.args[:2], answers)
            for end, value in (("low", low), ("high", high)):
                what = f"heads: {name}, the winner over scikit-learn linear, {end} end of the 95 % interval"
                rows.append(row(what, value, found.metric, "scikit-learn linear", None))
            ours = {
                "winner picked on the other folds": crossed.score,
                f"pick ({found.best})": next(float(one.score or 0) for one in found.rows if one.name == found.best),
            }
            others = [one for one in found.rows if one.kind in ("closed_form", "ensemble", "baseline")]
            ours |= {one.name: float(one.score) for one in others if one.score is not None}
            for what, score in [*theirs.items(), *ours.items()]:
                ratio = score / linear if found.higher_is_better else linear / score
                rows.append(row(f"heads: {name}, {what}", score, found.metric, "scikit-learn linear", ratio))
    return rows


def _difference(judged: Any, measure: Any, theirs: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of how much better the cross-fitted winner is, on the same draws of rows."""
    evidence = Evidence(measure)
    whole = [one for one in judged if not one.failed and one.folds is None and one.candidate.kind != "baseline"]
    for one in whole:
        evidence.add(one.candidate.name, one.predictions)
    candidates = [_Picked(one) for one in whole if one.candidate.kind in ("fusion", "subset", "closed_form")]
    _, sets = evidence.crossed(candidates)  # type: ignore[arg-type]
    return interval(evidence.sampled(sets) - evidence.sampled([theirs]))


class _Picked:
    """What `Evidence.pick` asks of a row."""

    def __init__(self, judged: Any) -> None:
        self.name, self.modalities = judged.candidate.name, judged.candidate.modalities
        self.parameters = judged.costs.get("parameters", 0)


def _scikit_learn(experiment: Experiment) -> tuple[dict[str, float], np.ndarray]:
    """Linear, and kernels that are added and multiplied, by scikit-learn on the experiment's folds.

    Their scores, and what the linear one answers to each row (of classes, ones and zeros).
    """
    rows, truth = experiment.rows, experiment.truth
    blocks = [_block(experiment, name) for name in experiment.inputs]
    classes = experiment.task.space.problems()[0].classes > 0
    answers: dict[str, np.ndarray] = {}
    for test in experiment.folds:
        train = np.setdiff1d(rows, test)
        scaled = [_scaled(block[train], block[test]) for block in blocks]
        x, queries = (np.hstack([one[side] for one in scaled]) for side in (0, 1))
        y = truth[train]
        if classes:
            linear = LogisticRegressionCV(
                Cs=10, cv=StratifiedKFold(**INNER), scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False
            )
            aim = np.eye(int(truth.max()) + 1)[y]
        else:
            linear, aim = RidgeCV(alphas=np.logspace(-4, 3, 15)), (y - y.mean())[:, None]
        given = {"scikit-learn linear": linear.fit(x, y).predict(queries)}
        for how in ("sum", "product"):
            said = _kernel(scaled, aim, how)
            given[f"scikit-learn kernel {how}"] = said.argmax(axis=1) if classes else said[:, 0] + y.mean()
        for name, said in given.items():
            answers.setdefault(name, np.zeros(len(truth)))[test] = said
    score = accuracy_score if classes else root_mean_squared_error
    first = next(iter(answers.values()))[rows]
    kept = np.eye(int(truth.max()) + 1)[first.astype(int)] if classes else first
    return {name: float(score(truth[rows], said[rows])) for name, said in answers.items()}, kept


def _block(experiment: Experiment, name: str) -> np.ndarray:
    """`[rows of the table, D]` a modality's stored vectors, zero where it is missing."""
    encoded = experiment.encoded[name]
    found = np.zeros((len(experiment.table), encoded.width))
    found[experiment.rows] = encoded.take(experiment.rows).features["stored"][:, 0].double().numpy()
    return found


def _scaled(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = train.mean(axis=0)
    size = np.sqrt(np.square(train - centre).sum(axis=1).mean())
    return (train - centre) / size, (test - centre) / size


def _kernel(scaled: list[tuple[np.ndarray, np.ndarray]], aim: np.ndarray, how: str) -> np.ndarray:
    """Kernel ridge regression, its width and strength by three inner folds."""

    def gram(width: float, side: int) -> np.ndarray:
        parts = []
        for train, test in scaled:
            query = (train, test)[side]
            squared = np.square(query).sum(1)[:, None] + np.square(train).sum(1) - 2 * query @ train.T
            parts.append(np.exp(-width * np.maximum(squared, 0)))
        together: np.ndarray = np.mean(parts, axis=0) if how == "sum" else np.prod(parts, axis=0)
        return together

    best: tuple[float, float, Any] | None = None
    for width in 2.0 ** np.arange(-4, 4):
        search = GridSearchCV(KernelRidge(kernel="precomputed"), {"alpha": np.logspace(-3, 1, 5)}, cv=KFold(**INNER))
        search.set_params(scoring="neg_mean_squared_error").fit(gram(width, 0), aim)
        if best is None or search.best_score_ > best[0]:
            best = (search.best_score_, float(width), search.best_estimator_)
    assert best is not None
    said: np.ndarray = best[2].predict(gram(best[1], 1))
    return said.reshape(len(said), -1)
