"""What each modality contributes to a trained model: the score without it, with it shuffled, with it alone, and with
it missing from a growing share of the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from plait import console
from plait.data.batches import Source, TableSource
from plait.data.dropping import take_away
from plait.data.plan import BatchPlan
from plait.evaluation.noise import noise_curves
from plait.metrics.bootstrap import draw_rows, interval
from plait.modalities import noises as every_noise
from plait.tasks import Targets
from plait.training.evaluate import Runner
from plait.types import Batch

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
SHUFFLES = 3
HARDLY = 0.1  # share of what all modalities contribute together; one whose interval stays below it is hardly used
DRAWS, SLOW_DRAWS = 250, 50  # of the bootstrap; fewer where scoring, which each draw repeats, takes long
NOT_TAKEN = (float("nan"), float("nan"))


MODALITY_COLUMNS = ["modality", "without it", "shuffled", "alone", "it gives, 95 % interval"]


@dataclass
class ModalityScore:
    """Scores of one modality; their differences to the report's `all` show what it contributes.

    The intervals are 95 % intervals of how much better the whole model is than without the modality, with it shuffled,
    or with it alone (by the bootstrap over rows that `plait compare` uses). An interval that contains zero means that
    no difference was seen.

    Args:
        name: of the input.
        absent: score with the modality taken away from every row.
        permuted: with its values shuffled among the rows, the mean of three shuffles.
        alone: with every other modality taken away; None where there is no other.
        absent_interval, permuted_interval, alone_interval: of the differences.
        missing: share of rows that lack it → score.
        noise: noise → level → score; the first is the score without it.
    """

    name: str
    absent: float
    permuted: float
    alone: float | None
    absent_interval: tuple[float, float] = NOT_TAKEN
    permuted_interval: tuple[float, float] = NOT_TAKEN
    alone_interval: tuple[float, float] = NOT_TAKEN
    missing: dict[float, float] = field(default_factory=dict)
    noise: dict[str, dict[float, float]] = field(default_factory=dict)


@dataclass
class ModalityReport:
    """All modalities of a model on one table.

    Args:
        metric: the name of the score; `higher_is_better` belongs to it.
        rows: how many were scored.
        all: the score with all modalities.
        nothing: the score with every modality taken away.
        modalities: each one's scores.
        warnings: a modality that is hardly used, or a model that is better without it or without the others.
    """

    metric: str
    higher_is_better: bool
    rows: int
    all: float
    nothing: float
    modalities: list[ModalityScore]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return console.as_html(
            report_title(self), MODALITY_COLUMNS, modality_rows(self), MODALITY_COLUMNS[1:], self.warnings
        )


@dataclass
class Scorer:
    """A trained model, the rows that it is scored on, and how.

    Args:
        runner: the model, and how it runs.
        targets, truth: the tasks, and the encoded targets of the rows.
        metric: its name, and whether higher is better.
        plan: the rows, in batches.
        groups: `[N]` codes of rows that are not independent of each other, such as those of one image; None for none.
    """

    runner: Runner
    targets: Targets
    truth: Mapping[str, np.ndarray]
    metric: tuple[str, bool]
    plan: BatchPlan
    groups: np.ndarray | None = None

    def __call__(self, source: Source) -> float:
        return self.score(self.predictions(source))

    def predictions(self, source: Source) -> dict[str, np.ndarray]:
        """The model's predictions for the rows, by target."""
        return self.targets.predictions(self.runner.outputs(source, self.plan))

    def score(self, predictions: Mapping[str, np.ndarray], chosen: np.ndarray | None = None) -> float:
        """The metric over all rows, or over the chosen positions; NaN where it is not defined."""
        truth = self.truth
        if chosen is not None:
            predictions = {name: values[chosen] for name, values in predictions.items()}
            truth = {name: values[chosen] for name, values in truth.items()}
        return self.targets.metrics(predictions, truth, [self.metric[0]]).get(self.metric[0], float("nan"))

    def draws(self, seed: int) -> list[np.ndarray]:
        """The positions of each draw of the bootstrap."""
        draws = SLOW_DRAWS if self.targets.slow else DRAWS
        return draw_rows(len(self.plan.rows), self.groups, draws, seed)


def modality_report(
    scorer: Scorer,
    source: TableSource,
    names: Sequence[str],
    *,
    curves: bool = False,
    noises: Sequence[str] = (),
    seed: int = 0,
) -> ModalityReport:
    """Score a model with each modality missing, permuted and alone.

    Args:
        scorer: the model and its rows.
        source: what the rows come from.
        names: the model's modalities.
        curves: also score it as a growing share of the rows lacks each modality.
        noises: also score it as the values of a modality get worse; see `noise_curves`.
        seed: of the shuffles, and of the choice of rows that lack a modality.
    """
    random, rows = np.random.default_rng(seed), scorer.plan.rows

    def predictions_of(change: Callable[[Batch], Batch]) -> dict[str, np.ndarray]:
        return scorer.predictions(_Changed(source, change))

    def score_of(change: Callable[[Batch], Batch]) -> float:
        return scorer.score(predictions_of(change))

    # The whole model, once on all rows and once on each draw of the bootstrap.
    draws, higher = scorer.draws(seed), scorer.metric[1]
    everything = scorer.predictions(source)
    whole = scorer.score(everything)
    if np.isnan(whole):
        undefined = f"{scorer.metric[0]} is not defined on these rows"
        return ModalityReport(*scorer.metric, len(rows), whole, whole, [], [undefined])
    drawn = np.array([scorer.score(everything, draw) for draw in draws])

    def compare(*changed: Mapping[str, np.ndarray]) -> tuple[float, tuple[float, float]]:
        """The mean score of changed predictions, and the interval of how much better the whole model is."""
        scores = [scorer.score(one) for one in changed]
        others = np.array([np.mean([scorer.score(one, draw) for one in changed]) for draw in draws])
        return float(np.mean(scores)), interval((drawn - others) * (1 if higher else -1))

    nothing = score_of(lambda batch: _lacking(batch, names))
    modality_scores = []
    for name in names:
        others = [other for other in names if other != name]
        absent = compare(predictions_of(lambda batch, name=name: _lacking(batch, [name])))  # type: ignore[misc]
        alone: tuple[float | None, tuple[float, float]] = (None, NOT_TAKEN)
        if others:
            alone = compare(predictions_of(lambda batch, others=others: _lacking(batch, others)))  # type: ignore[misc]
        shuffles = [_shuffled(source, rows, name, random.permutation(len(rows))) for _ in range(SHUFFLES)]
        permuted = compare(*map(predictions_of, shuffles))
        score = ModalityScore(name, absent[0], permuted[0], alone[0], absent[1], permuted[1], alone[1])
        if curves:
            order = random.permutation(len(source))  # the same rows stay missing as the share grows
            for share in SHARES:
                gone = torch.from_numpy(order < share * len(source))
                score.missing[share] = score_of(lambda b, n=name, g=gone: take_away(b, {n: g[b.rows]}))  # type: ignore[misc]
        modality_scores.append(score)
    noisy = noise_curves(scorer, source, noises, whole=whole, seed=seed)
    for score in modality_scores:
        score.noise = noisy.get(score.name, {})
    warnings = _warnings(whole, nothing, modality_scores, higher, len(rows))
    return ModalityReport(*scorer.metric, len(rows), whole, nothing, modality_scores, warnings)


class _Changed:
    """A source whose batches are changed before the model sees them."""

    def __init__(self, source: Source, change: Callable[[Batch], Batch]) -> None:
        self.source, self.change = source, change

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: np.ndarray) -> Batch:
        return self.change(self.source.batch(rows))


def _lacking(batch: Batch, names: Sequence[str]) -> Batch:
    """The batch with some modalities taken away from every row."""
    every = torch.ones(len(batch), dtype=torch.bool)
    return take_away(batch, dict.fromkeys(names, every))


def _shuffled(source: Source, rows: np.ndarray, name: str, order: np.ndarray) -> Callable[[Batch], Batch]:
    """A change of batches that gives each row the modality of another row."""
    instead = dict(zip(rows.tolist(), rows[order].tolist(), strict=True))

    def change(batch: Batch) -> Batch:
        others = source.batch(np.array([instead[row] for row in batch.rows.tolist()]))
        return replace(batch, inputs={**batch.inputs, name: others.inputs[name]})

    return change


def _warnings(
    whole: float, nothing: float, modality_scores: Sequence[ModalityScore], higher: bool, rows: int
) -> list[str]:
    """Warnings that the differences justify, each with its interval.

    "Hardly used" needs intervals around zero that are narrow compared with what all modalities contribute together, so
    that it does not depend on the target's units; wide ones only mean that there are too few rows.
    """
    sign = 1.0 if higher else -1.0
    gain = abs(whole - nothing)
    warnings = []
    for one in modality_scores:
        away, shuffled, alone = one.absent_interval, one.permuted_interval, one.alone_interval
        if len(modality_scores) > 1:
            widest = max(map(abs, (*away, *shuffled)))
            seen = _beside_zero(away) or _beside_zero(shuffled)
            difference = f"without it the score is worse by {_with_interval(sign * (whole - one.absent), away)}"
            if not seen and (not gain > 0 or widest <= HARDLY * gain):
                warnings.append(f"{one.name} is hardly used: {difference}")
            elif not seen:
                warnings.append(f"{rows:,} rows do not tell whether {one.name} is used: {difference}")
            elif away[1] < 0:
                gained = _with_interval(sign * (one.absent - whole), (-away[1], -away[0]))
                warnings.append(f"without {one.name} the model scores better, by {gained}")
        if one.alone is not None and alone[1] < 0:
            gained = _with_interval(sign * (one.alone - whole), (-alone[1], -alone[0]))
            warnings.append(f"with {one.name} alone the model scores better than with all, by {gained}")
    return warnings


def _beside_zero(bounds: tuple[float, float]) -> bool:
    """Whether an interval excludes zero."""
    return bounds[0] > 0 or bounds[1] < 0


def _with_interval(value: float, bounds: tuple[float, float]) -> str:
    return f"{value:.3g} (95 % interval {bounds[0]:.3g} to {bounds[1]:.3g})"


def report_title(report: ModalityReport) -> str:
    """The line above a report's table."""
    return f"{report.metric} with all modalities: {console.number(report.all)}, {report.rows:,} rows"


def show_modalities(report: ModalityReport) -> None:
    """Print a report."""
    console.say(report_title(report))
    console.show(console.table("", MODALITY_COLUMNS, modality_rows(report), MODALITY_COLUMNS[1:]))
    for title, curves in curve_tables(report):
        console.say(f"\n{title}:")
        levels = list(next(iter(curves.values())))
        scored = [(name, *curve.values()) for name, curve in curves.items()]
        console.show(console.table("", ["modality", *levels], scored, levels))
    for warning in report.warnings:
        console.say(f"note: {warning}")


def modality_rows(report: ModalityReport) -> list[tuple[Any, ...]]:
    """Each modality's name, its scores, and the interval of what it adds to the others."""
    return [
        (
            one.name,
            one.absent,
            one.permuted,
            "" if one.alone is None else one.alone,
            f"{one.absent_interval[0]:.3g} to {one.absent_interval[1]:.3g}",
        )
        for one in report.modalities
    ]


def curve_tables(report: ModalityReport) -> list[tuple[str, dict[str, dict[str, float]]]]:
    """The curves of a report as tables: title → modality → level as people read it → score."""
    tables = []
    if report.modalities and report.modalities[0].missing:
        curves = {
            one.name: {f"{share:.0%}": value for share, value in one.missing.items()} for one in report.modalities
        }
        tables.append((f"{report.metric} as so many rows lack it", curves))
    for noise, _, how in every_noise():
        noisy = {one.name: one.noise[noise] for one in report.modalities if noise in one.noise}
        if noisy:
            written = {
                name: {("clean" if level == 0 else f"{level:g}"): value for level, value in curve.items()}
                for name, curve in noisy.items()
            }
            tables.append((f"{report.metric} by {noise.replace('_', ' ')} ({how.unit})", written))
    return tables
