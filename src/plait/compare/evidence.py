"""The answers of all models to the same rows, and what can be asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.compare.crossfit import assembled, rest_of
from plait.compare.likelihood import row_losses, temperature_of, with_temperature
from plait.compare.result import Row
from plait.layers.ragged import Ragged
from plait.layers.spaces import Space
from plait.metrics.bootstrap import DRAWS, Function, bootstrap, draw_rows


@dataclass(frozen=True)
class Measure:
    """What is measured, and of whom.

    Args:
        metric, function, higher: the score, and whether more is better.
        truth: `[N, …]`.
        folds: positions of the rows of each.
        groups: `[N]` codes of rows that are drawn together.
        space: of the target; None where it has no likelihood.
        splits: what the folds keep together, in words.
        r2: R², which stands beside another metric of numbers.
    """

    metric: str
    function: Function
    higher: bool
    truth: Any
    folds: Sequence[np.ndarray]
    groups: np.ndarray | None = None
    space: Space | None = None
    splits: str = "random rows"
    r2: Function | None = None

    @property
    def units(self) -> int:
        """What is drawn independently: rows, or groups."""
        return len(self.truth) if self.groups is None else len(np.unique(self.groups))

    @property
    def sign(self) -> float:
        """Within, higher is always better: this turns errors round."""
        return 1.0 if self.higher else -1.0

    def score(self, sets: Sequence[Any], rows: Any = slice(None)) -> float:
        """The mean over seeds, of some rows."""
        truth = self.truth[rows]
        return float(np.mean([self.function(truth, one[rows]) for one in sets]))


@dataclass
class Evidence:
    """Answers by model, and their bootstrap: the same draws of rows for all.

    Args:
        measure: what is measured.
    """

    measure: Measure
    draws: list[np.ndarray] = field(init=False)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draws = draw_rows(len(self.measure.truth), self.measure.groups, DRAWS)

    def add(self, name: str, sets: list[Any]) -> None:
        """Take the answers of a model, a set a seed."""
        self.answers[name], self.samples[name] = sets, self.sampled(sets)

    def sampled(self, sets: Sequence[Any]) -> np.ndarray:
        """`[draws]` the score of answers on each draw; more is better."""
        return self.measure.sign * bootstrap(self.measure.function, self.measure.truth, sets, self.draws)

    @property
    def likely(self) -> bool:
        """Whether answers have a likelihood, by which they can be mixed and compared."""
        ragged = any(isinstance(one, Ragged) for sets in self.answers.values() for one in sets)
        return self.measure.space is not None and not ragged

    def pick(self, rows: Sequence[Row], positions: np.ndarray | None = None) -> Row:
        """The winner by some rows (all, by default): of those within a standard error of the best score, the likeliest.

        Scores of hundreds of rows that differ by a few can't tell models apart: the highest is luck, and falls on rows
        that did not choose it. The log loss of calibrated answers uses all that these rows say. Of equal ones, that
        of fewer modalities wins, then of fewer parameters.
        """
        where: Any = slice(None) if positions is None else positions
        count = len(self.measure.truth) if positions is None else len(positions)
        scores = {row.name: self.measure.sign * self.measure.score(self.answers[row.name], where) for row in rows}
        finite = [row for row in rows if np.isfinite(scores[row.name])] or list(rows)
        top = max(finite, key=lambda row: scores[row.name])
        wider = np.sqrt(len(self.measure.truth) / max(1, count))  # errors of fewer rows are larger

        def close(row: Row) -> bool:
            error = float(np.nanstd(self.samples[top.name] - self.samples[row.name])) * wider
            return bool(scores[top.name] - scores[row.name] <= error)

        near = [row for row in finite if row is top or close(row)]
        return min(near, key=lambda row: (self._loss(row, where, scores), len(row.modalities), row.parameters))

    def _loss(self, row: Row, where: Any, scores: dict[str, float]) -> float:
        space = self.measure.space
        if space is None or not self.likely:
            return -scores[row.name]
        answers, truth = self.answers[row.name][0][where], self.measure.truth[where]
        warm = temperature_of(space, answers, truth)
        return round(float(row_losses(space, with_temperature(space, answers, warm), truth).mean()), 12)

    def crossed(self, rows: Sequence[Row]) -> tuple[list[Row], list[Any]]:
        """Who wins for each fold by the other folds, and their answers put together, a set a seed."""
        folds = self.measure.folds
        winners = [self.pick(rows, rest) for rest in rest_of(folds)]
        seeds = range(len(self.answers[winners[0].name]))
        sets = [
            assembled([self.answers[row.name][seed][fold] for row, fold in zip(winners, folds, strict=True)], folds)
            for seed in seeds
        ]
        return winners, sets
