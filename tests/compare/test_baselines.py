"""Trivial rows are what scikit-learn would give on the same folds."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from compare.small import frame, recipe_of
from plait.compare.baselines import baselines_of
from plait.compare.experiment import Experiment
from plait.data.readers import open_table


def test_they_answer_the_folds_rows() -> None:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    experiment = Experiment(recipe_of(inputs=inputs), open_table(frame()), 3, False)
    found = baselines_of(experiment)
    assert [one.name for one in found] == ["majority", "TF-IDF + logistic", "nearest neighbour"]
    fold = experiment.fold(0)
    answers = {one.method: experiment.run(one, 0, 0) for one in found}
    assert all((one.rows == fold.test).all() and one.costs["converged"] for one in answers.values())
    rest = np.setdiff1d(experiment.rows, fold.test)
    share = np.bincount(experiment.truth[rest]) / len(rest)
    assert answers["constant"].predictions == pytest.approx(np.broadcast_to(share, (len(fold.test), 2)), abs=1e-5)
    # The nearest by size and words: of a table of a few different rows, an equal row.
    table = frame()
    codes = np.column_stack([table["size"], pd_codes(table["title"])])
    nearest = (
        KNeighborsClassifier(1).fit(codes[rest] * [1, 10], experiment.truth[rest]).predict(codes[fold.test] * [1, 10])
    )
    assert (answers["nearest"].predictions.argmax(1) == nearest).mean() > 0.9


def pd_codes(values):
    return values.astype("category").cat.codes


def test_of_numbers_the_mean() -> None:
    table = frame()
    table["answer"] = np.random.default_rng(0).normal(size=len(table))
    experiment = Experiment(recipe_of(), open_table(table), 3, False)
    found = baselines_of(experiment)
    assert [one.name for one in found] == ["mean", "TF-IDF + ridge", "nearest neighbour"]
    assert experiment.run(found[2], 0, 0).predictions.shape == (30,)
    mean = experiment.run(found[0], 0, 0)
    assert mean.predictions == pytest.approx(table["answer"][np.setdiff1d(np.arange(90), mean.rows)].mean(), abs=1e-5)
