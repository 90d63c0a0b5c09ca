"""What each modality gives a trained model: the score without it, with it shuffled, with it alone, and as it goes
missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from plait import console
from plait.data.batches import Source
from plait.data.dropping import take_away
from plait.data.plan import BatchPlan
from plait.tasks import Targets
from plait.training.evaluate import outputs_of
from plait.types import Batch

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
SHUFFLES = 3
HARDLY = 0.005  # of the metric, relative to its size where that is above one: below it a modality is hardly used


@dataclass
class ModalityScore:
    """Scores of one modality; a difference to `all` says what it gives.

    Args:
        name: of the input.
        absent: score with the modality taken from every row.
        permuted: with its values shuffled among the rows, the mean of three shuffles.
        alone: with every other modality taken away; None where there is no other.
        missing: share of rows that lack it → score.
    """

    name: str
    absent: float
    permuted: float
    alone: float | None
    missing: dict[float, float] = field(default_factory=dict)


@dataclass
class ModalityReport:
    """All modalities of a model on one table.

    Args:
        metric: what is scored; `higher_is_better` says which way.
        all: the score with everything.
        modalities: each one's scores.
        warnings: a modality that is hardly used, or a model that is better without the others.
    """

    metric: str
    higher_is_better: bool
    all: float
    modalities: list[ModalityScore]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def modality_report(
    model: torch.nn.Module,
    source: Source,
    rows: np.ndarray,
    names: Sequence[str],
    targets: Targets,
    truth: Mapping[str, np.ndarray],
    metric: tuple[str, bool],
    *,
    precision: str = "float32",
    device: torch.device | str = "cpu",
    workers: int = 0,
    curves: bool = False,
    seed: int = 0,
) -> ModalityReport:
    """Score a model with each modality absent, permuted and alone.

    Args:
        model: trained.
        source, rows: what to score it on.
        names: its modalities.
        targets, truth: the tasks, and the encoded targets of the rows.
        metric: its name, and whether higher is better.
        precision, device, workers: how it runs.
        curves: also as a growing share of the rows lacks each modality.
        seed: of shuffles and of which rows lack it.
    """
    random = np.random.default_rng(seed)
    plan = BatchPlan(rows, 256, shuffle=False)

    def scored(change: Callable[[Batch], Batch]) -> float:
        changed = _Changed(source, change)
        outputs = outputs_of(model, changed, plan, precision, torch.device(device), workers)
        return targets.metrics(targets.predictions(outputs), truth).get(metric[0], float("nan"))

    whole = scored(lambda batch: batch)
    found = []
    for name in names:
        others = [other for other in names if other != name]
        absent = scored(lambda batch, name=name: _lacking(batch, [name]))  # type: ignore[misc]
        alone = scored(lambda batch, others=others: _lacking(batch, others)) if others else None  # type: ignore[misc]
        shuffles = [_shuffled(source, rows, name, random.permutation(len(rows))) for _ in range(SHUFFLES)]
        score = ModalityScore(name, absent, float(np.mean([scored(shuffle) for shuffle in shuffles])), alone)
        if curves:
            order = random.permutation(len(source))  # the same rows stay missing as the share grows
            for share in SHARES:
                gone = torch.from_numpy(order < share * len(source))
                score.missing[share] = scored(lambda b, n=name, g=gone: take_away(b, {n: g[b.rows]}))  # type: ignore[misc]
        found.append(score)
    return ModalityReport(metric[0], metric[1], whole, found, _warnings(whole, found, metric[1]))


class _Changed:
    """A source whose batches are changed on the way."""

    def __init__(self, source: Source, change: Callable[[Batch], Batch]) -> None:
        self.source, self.change = source, change

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: np.ndarray) -> Batch:
        return self.change(self.source.batch(rows))


def _lacking(batch: Batch, names: Sequence[str]) -> Batch:
    every = torch.ones(len(batch), dtype=torch.bool)
    return take_away(batch, dict.fromkeys(names, every))


def _shuffled(source: Source, rows: np.ndarray, name: str, order: np.ndarray) -> Callable[[Batch], Batch]:
    """Each row gets the modality of another one."""
    instead = dict(zip(rows.tolist(), rows[order].tolist(), strict=True))

    def change(batch: Batch) -> Batch:
        others = source.batch(np.array([instead[row] for row in batch.rows.tolist()]))
        return replace(batch, inputs={**batch.inputs, name: others.inputs[name]})

    return change


def _warnings(whole: float, found: Sequence[ModalityScore], higher: bool) -> list[str]:
    sign, least = (1.0 if higher else -1.0), HARDLY * max(1.0, abs(whole))
    said = []
    for one in found:
        if sign * (whole - one.absent) < least and sign * (whole - one.permuted) < least and len(found) > 1:
            said.append(f"{one.name} is hardly used: without it and with it shuffled the score stays about the same")
        if one.alone is not None and sign * (one.alone - whole) > least:
            said.append(f"with {one.name} alone the model scores better ({one.alone:.3f}) than with all ({whole:.3f})")
    return said


def show_modalities(report: ModalityReport) -> None:
    """Print a report."""
    rows = [(one.name, one.absent, one.permuted, "" if one.alone is None else one.alone) for one in report.modalities]
    console.say(f"{report.metric} with all modalities: {console.number(report.all)}")
    columns = ["modality", "without it", "shuffled", "alone"]
    console.show(console.table("", columns, rows, columns[1:]))
    if report.modalities and report.modalities[0].missing:
        shares = [f"{share:.0%}" for share in report.modalities[0].missing]
        curves = [(one.name, *one.missing.values()) for one in report.modalities]
        console.say(f"\n{report.metric} as so many rows lack it:")
        console.show(console.table("", ["modality", *shares], curves, shares))
    for warning in report.warnings:
        console.say(f"note: {warning}")
