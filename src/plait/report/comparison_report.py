"""The page of a comparison: verdict, scores, differences, what each modality knows, cost."""

from typing import Any

from plait.report import plots
from plait.report.page import render
from plait.runs.folder import RunFolder

CONSTANTS = ("majority", "mean")  # trivial rows that stand in the table only
NAMED = 8  # points of the plot of costs that are named, at most: the best


def write_comparison(folder: RunFolder, comparison: Any, recipe: str, notes: list[str]) -> None:
    """Write `report.html` of a comparison.

    Args:
        folder: where to.
        comparison: a `Comparison`.
        recipe: as YAML.
        notes: what was said before it ran.
    """
    sign = -1 if comparison.higher_is_better else 1
    scored = sorted((row for row in comparison.rows if row.score is not None), key=lambda row: sign * row.score)
    models = [row for row in scored if row.kind != "baseline"]
    folder.write_text(
        "report.html",
        render(
            "comparison.html",
            title=f"{len(models)} models of one table, by {comparison.metric}",
            comparison=comparison,
            whole=[row for row in models if not row.stopped],
            stopped=[row for row in models if row.stopped],
            trivial=[row for row in scored if row.kind == "baseline"],
            failed=[row for row in comparison.rows if row.score is None],
            plots=_plots(comparison, scored) if scored else [],
            with_r2=any(row.r2 is not None for row in scored),
            notes=notes,
            recipe=recipe,
        ),
    )


def _plots(comparison: Any, scored: list[Any]) -> list[str]:
    whole = [row for row in scored if not row.stopped]
    drawn = [row for row in whole if row.name not in CONSTANTS]  # far away, it would squeeze all others
    intervals = {row.name: (row.score, row.low, row.high, row.kind) for row in drawn}
    single = next(((f"{row.name} alone", row.score) for row in whole if row.kind == "single"), None)
    figures = [plots.intervals(intervals, comparison.metric, single)]
    costs = {row.name: (max(row.train_seconds, 1e-3), row.score, row.kind) for row in whole if row.kind != "baseline"}
    named = list(costs)[:NAMED]
    figures.append(plots.cost(costs, "training, seconds a fold", comparison.metric, named))
    known = comparison.information
    if known is not None:
        figures.append(plots.knowledge(known.alone, known.together, known.ceiling, "bits about the target, at least"))
    return figures
