"""The page of one run: scores, curves, mistakes, data, cost, recipe."""

import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from plait.console import number
from plait.evaluation.modalities import ModalityReport
from plait.report import plots
from plait.report.found import found_section
from plait.report.generated import generated_section
from plait.report.page import render
from plait.report.rows import row_shown
from plait.runs.facts import parameter_rows
from plait.runs.folder import RunFolder
from plait.runs.prepare import Part, Prepared
from plait.tasks import Task
from plait.training.checkpoint import Progress

EXAMPLES = 8
Scored = Mapping[str, tuple[Part, Mapping[str, torch.Tensor], Mapping[str, np.ndarray]]]


def write_report(
    run: RunFolder,
    prepared: Prepared,
    progress: Progress,
    metrics: Mapping[str, Mapping[str, float]],
    scored: Scored,
    seconds: Mapping[str, float],
    modalities: ModalityReport | None = None,
    baseline: str = "",
) -> None:
    """Write `report.html` of a run.

    Args:
        run: where to.
        prepared: data and model.
        progress: what the loop recorded.
        metrics: part → metric → value.
        scored: part → rows, raw outputs, predictions.
        seconds: of each stage.
        modalities: what each modality gives; None where there is one only, or nothing to score.
        baseline: what guesses without a model reach, in a line.
    """
    recipe, targets = prepared.recipe, prepared.targets
    # Test rows where there are some, else validation rows, are what the page shows.
    part_name = "test" if "test" in scored else "val"
    metric = targets.choose_metric(recipe.train.metric)[0]
    sections = [s for s in (_target_section(name, part_name, scored, prepared) for name in targets.names) if s]
    run.write_text(
        "report.html",
        render(
            "run.html",
            title=_title(prepared),
            subtitle=f"plait {recipe.resolved.get('versions', {}).get('plait', '')}, run {run.path.name}",
            tiles=_tiles(metric, metrics, prepared, progress),
            metrics=metrics,
            baseline=baseline,
            metric_names=list(dict.fromkeys(name for values in metrics.values() for name in values)),
            curves=_curves(progress, metric),
            targets=sections,
            modalities=modalities,
            modalities_part=part_name,
            examples=_examples(prepared, part_name, scored),
            columns=list(prepared.schema.values())[:200],
            notes=prepared.notes,
            parameters=parameter_rows(prepared.model),
            costs=_costs(seconds, progress),
            recipe=recipe.write(),
        ),
    )


def _title(prepared: Prepared) -> str:
    inputs = ", ".join(prepared.inputs)
    pairs = prepared.targets.pairs
    kind = None if pairs is None else pairs.kind
    return f"{', '.join(prepared.targets.names)} from {inputs}" if kind is None else f"{kind} of {inputs}"


def _tiles(metric: str, metrics: Mapping[str, Any], prepared: Prepared, progress: Progress) -> list[dict[str, str]]:
    tiles = [{"name": f"{p} {metric}", "value": number(v[metric])} for p, v in metrics.items() if metric in v]
    tiles += [{"name": f"{name} rows", "value": number(len(part.rows))} for name, part in prepared.parts.items()]
    if progress.best_epoch >= 0:
        tiles.append({"name": "best epoch", "value": f"{progress.best_epoch + 1} of {len(progress.history)}"})
    return tiles


def _curves(progress: Progress, metric: str) -> list[str]:
    losses = {"train": [(r["epoch"], r["loss"]) for r in progress.history]}
    judged = [r for r in progress.history if r.get("val")]
    if any("loss" in r["val"] for r in judged):
        losses["val"] = [(r["epoch"], r["val"]["loss"]) for r in judged if "loss" in r["val"]]
    curves = [plots.lines(losses, "epoch", "loss")]
    points = [(r["epoch"], r["val"][metric]) for r in judged if metric in r["val"]]
    if points and metric != "loss":
        curves.append(plots.lines({f"val {metric}": points}, "epoch", f"val {metric}"))
    return curves


def _target_section(name: str, part_name: str, scored: Scored, prepared: Prepared) -> dict[str, Any] | None:
    targets = prepared.targets
    if part_name not in scored:
        return None
    part, _, predictions = scored[part_name]
    task, truth = targets.tasks[name], part.truth()[name]
    if not task.joint:
        return found_section(prepared, task, part, part_name, predictions[name])
    if task.writes is not None:
        return generated_section(prepared, task, part, part_name, predictions[name])
    usable = ~task.unusable(truth)
    svgs = [DRAW[figure.kind](*figure.data) for figure in task.figures(truth[usable], predictions[name][usable])]
    return {"name": f"Answers: {name}", "part": part_name, "plots": svgs}


DRAW: dict[str, Callable[..., str]] = {
    "confusion": plots.confusion,
    "reliability": plots.reliability,
    "scatter": plots.scatter,
    "histogram": plots.histogram,
    "bars": plots.bars,
    "timelines": plots.timelines,
}


def _examples(prepared: Prepared, part_name: str, scored: Scored) -> list[dict[str, Any]]:
    if part_name not in scored or not prepared.targets.joint:
        return []
    part, outputs, predictions = scored[part_name]
    truth = part.truth()
    encoded = {name: values[torch.from_numpy(part.rows)] for name, values in part.source.targets.items()}
    losses = prepared.targets.row_loss(outputs, encoded).numpy()
    usable = np.any([~t.unusable(truth[n]) for n, t in prepared.targets.tasks.items()], axis=0)
    order = np.argsort(losses, kind="stable")
    order = order[usable[order]]  # rows without a usable target have no loss worth showing
    worst, best = order[::-1][:EXAMPLES], order[:EXAMPLES]

    def cards(positions: np.ndarray) -> list[dict[str, Any]]:
        return [_card(prepared, part, predictions, int(p), float(losses[p])) for p in positions]

    return [
        {"name": "Worst answers", "about": f"{part_name} rows with the largest loss", "cards": cards(worst)},
        {"name": "Best answers", "about": f"{part_name} rows with the smallest loss", "cards": cards(best)},
    ]


def _card(
    prepared: Prepared, part: Part, predictions: Mapping[str, np.ndarray], position: int, loss: float
) -> dict[str, Any]:
    row = int(part.rows[position])
    table = part.source.table
    cells, shown = row_shown(prepared.inputs, table, part.source.media, row)
    answers = []
    for name, task in prepared.targets.tasks.items():
        prediction = predictions[name][position : position + 1]
        truth = table.cells(name, [row])[0] if name in table else None
        answers.append(_answer(name, task, prediction, truth, part.source.targets[name][row : row + 1].numpy()))
    return {"row": row + 1, "loss": loss, "cells": cells, "shown": shown, "answers": answers}


def _answer(name: str, task: Task, prediction: np.ndarray, truth: Any, encoded: np.ndarray) -> dict[str, Any]:
    card = task.card(prediction, encoded, truth)
    fields = {"given": card.given[:200], "true": card.true[:200], "right": bool(card.right), "share": card.share}
    return {"target": name, **fields}


def _costs(seconds: Mapping[str, float], progress: Progress) -> list[tuple[str, str]]:
    rows = [(name, f"{value:.1f} s") for name, value in seconds.items()]
    if progress.history:
        fastest = min(record["train_seconds"] for record in progress.history)
        rows.append(("fastest epoch", f"{fastest:.1f} s"))
    rows.append(("peak memory of the process", f"{peak_memory() / 1e6:,.0f} MB"))
    if torch.cuda.is_available():
        rows.append(("peak memory of the GPU", f"{torch.cuda.max_memory_allocated() / 1e6:,.0f} MB"))
    return rows


def peak_memory() -> int:
    """The largest resident set of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
