"""Answers that need no model worth the name: what every row of a comparison has to beat."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from plait.compare.candidates import Candidate
from plait.data.plan import BatchPlan
from plait.errors import DataError
from plait.heads import LinearHead
from plait.runs.baseline import WORD, is_number, linear_answers, texts_of
from plait.training.evaluate import outputs_of
from plait.types import POOLED

if TYPE_CHECKING:
    from plait.compare.experiment import Experiment
    from plait.compare.fold import Fold

BATCH = 1024


def baselines_of(experiment: "Experiment") -> list[Candidate]:
    """The trivial rows of a comparison, as candidates: the constant, words counted, the nearest training row."""
    every = tuple(experiment.inputs)
    if experiment.task.space is None or experiment.task.ragged:
        return []
    names = {"constant": "mean" if is_number(experiment.task) else "majority"}
    if _text_columns(experiment):
        names["words"] = f"TF-IDF + {'ridge' if is_number(experiment.task) else 'logistic'}"
    if experiment.fittable:
        names["nearest"] = "nearest neighbour"
    return [Candidate(name, "baseline", every, method) for method, name in names.items()]


def baseline_answers(method: str, experiment: "Experiment", fold: "Fold") -> np.ndarray:
    """The answers to a fold's test rows, learned from all others."""
    rows = np.sort(np.concatenate([fold.train, fold.val]))
    return BASELINES[method](experiment, fold, rows)


def _constant(experiment: "Experiment", fold: "Fold", rows: np.ndarray) -> np.ndarray:
    answers: np.ndarray | None = fold.targets.tasks[experiment.name].constant(fold.truth[rows], len(fold.test))
    assert answers is not None  # a task with a space has one
    return answers


def _words(experiment: "Experiment", fold: "Fold", rows: np.ndarray) -> np.ndarray:
    """TF-IDF of all texts and a linear model."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    task, columns = fold.targets.tasks[experiment.name], _text_columns(experiment)
    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=20_000, token_pattern=WORD)
    try:
        x = vectorizer.fit_transform(texts_of(experiment.table, columns, rows))
    except ValueError as error:
        raise DataError("no text of the training rows has a word") from error
    queries = vectorizer.transform(texts_of(experiment.table, columns, fold.test))
    answers = linear_answers(task, x, fold.truth[rows], queries)
    if answers is None:
        raise DataError("the rows hold nothing to learn from")
    return answers


def _nearest(experiment: "Experiment", fold: "Fold", rows: np.ndarray) -> np.ndarray:
    """The truth of the training row whose vectors are closest, each modality on the same scale."""
    model = experiment.model(Candidate("nearest", "baseline", tuple(experiment.inputs), "linear"), fold, 0)
    assert isinstance(model.head, LinearHead)

    def vectors(chosen: np.ndarray) -> torch.Tensor:
        plan = BatchPlan(chosen, BATCH, shuffle=False)
        found: torch.Tensor = outputs_of(model.eval(), fold.source, plan, "float32", experiment.device)[POOLED]
        return found.cpu()

    known = vectors(rows)
    model.head.scaling.learn(known)
    known = model.head.scaling(known)
    nearest = torch.cat([torch.cdist(q, known).argmin(1) for q in model.head.scaling(vectors(fold.test)).split(BATCH)])
    truth = torch.from_numpy(np.asarray(fold.truth[rows]))[nearest]
    problem = fold.targets.tasks[experiment.name].space.problems()[0]  # type: ignore[union-attr]
    if problem.width > 1:
        truth = F.one_hot(truth.long(), problem.width)
    return truth.double().clamp(min=0).numpy() if problem.classes else truth.double().numpy()


def _text_columns(experiment: "Experiment") -> list[str]:
    return [s.columns[0] for s in experiment.inputs.values() if s.kind is not None and s.kind.words]


BASELINES: dict[str, Callable[[Any, Any, np.ndarray], np.ndarray]] = {
    "constant": _constant,
    "words": _words,
    "nearest": _nearest,
}
