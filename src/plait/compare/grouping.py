"""Rows that seem to belong together, and how far scores fall where folds keep them so."""

import os
from pathlib import PurePath
from typing import Any

import numpy as np

from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.compare.result import Comparison, GroupDrop
from plait.data.splits import folds_of
from plait.errors import PlaitError

SHARED = 0.05  # of the rows, at least, share a value with another one
ID_WORDS = ("group", "person", "user", "patient", "subject", "speaker", "author", "customer", "session", "product")


def likely_groups(experiment: Experiment) -> dict[str, np.ndarray]:
    """What rows may share → codes `[N]` of all rows: a column of ids or groups, the same file, the folder of the file.

    Only where it can be a group: several rows share a value, and there are at least as many values as folds.
    """
    table, folds = experiment.table, len(experiment.folds)
    groups: dict[str, np.ndarray] = {}
    for name in table.columns:
        words = name.lower().replace("_", " ").replace("-", " ").split()
        if name != experiment.name and name not in experiment.recipe.inputs and any(w in ID_WORDS for w in words):
            groups[name] = table.codes(name)[0]
    for spec in experiment.inputs.values():
        if spec.kind is None or not spec.kind.shared or len(spec.columns) != 1:
            continue
        cells = table.cells(spec.columns[0], np.arange(len(table)))
        if not all(isinstance(cell, str) or cell is None for cell in cells):
            continue
        files = [cell or f"\0{row}" for row, cell in enumerate(cells)]
        groups[spec.columns[0]] = _codes(files)
        parents = [str(PurePath(file.replace(os.sep, "/")).parent) for file in files]
        groups[f"the folder of {spec.columns[0]}"] = _codes(parents)
    return {name: codes for name, codes in groups.items() if _groups_rows(codes[experiment.rows], folds)}


def _codes(values: list[str]) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _groups_rows(codes: np.ndarray, folds: int) -> bool:
    _, counts = np.unique(codes, return_counts=True)
    shared = counts[counts > 1].sum() / len(codes)
    return len(counts) >= 2 * folds and shared >= SHARED and counts.max() <= len(codes) / folds


def group_drop(experiment: Experiment, comparison: Comparison) -> GroupDrop | None:
    """The best model that costs little, once more on folds by group: the largest fall among the likely groups.

    None where folds keep a group together already, or there is nothing to keep together.
    """
    if experiment.groups is not None or experiment.cutting.moments is not None:
        return None
    rows = [row for row in comparison.rows if row.whole and row.fused]
    cheap = [row for row in rows if row.kind == "closed_form"] or [row for row in rows if row.name == "concat"]
    sign = 1 if comparison.higher_is_better else -1
    row = max(cheap, key=lambda one: sign * (one.score or 0.0), default=None)
    if row is None or row.score is None:
        return None
    candidate = Candidate(row.name, row.kind, tuple(row.modalities), row.name)
    drops = []
    for name, codes in likely_groups(experiment).items():
        score = _score_by_group(experiment, candidate, codes)
        if score is not None:
            drops.append(GroupDrop(name, row.name, row.score, score))
    return min(drops, key=lambda drop: sign * drop.grouped, default=None)


def _score_by_group(experiment: Experiment, candidate: Candidate, codes: np.ndarray) -> float | None:
    """The score over all rows on folds that never split a group; None where there are no such folds."""
    rows = experiment.rows
    labels = experiment.task.strata(experiment.truth[rows])
    seed = experiment.recipe.train.seed
    try:
        folds = folds_of(rows, len(experiment.folds), labels, codes[rows], seed)
        grouped = experiment.on_folds(folds, codes)
        answers: list[Any] = [grouped.run(candidate, number, seed) for number in range(len(folds))]
    except (PlaitError, ValueError):
        return None
    order = np.argsort(np.concatenate([answer.rows for answer in answers]))
    predictions = np.concatenate([answer.predictions for answer in answers])[order]
    return experiment.measured(experiment.truth[rows], predictions)
