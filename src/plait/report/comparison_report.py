"""The page of a comparison: verdict, scores, differences, cost."""

from typing import Any

from plait.report import plots
from plait.report.page import render
from plait.runs.folder import RunFolder


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
    intervals = {row.name: (row.score, row.low, row.high, row.kind) for row in scored}
    costs = {row.name: (row.train_seconds, row.score, row.kind) for row in scored}
    figures = []
    if scored:
        single = next((row.score for row in scored if row.kind == "single"), None)
        figures = [plots.intervals(intervals, comparison.metric, single)]
        figures.append(plots.cost(costs, "training, seconds a fold", comparison.metric))
    folder.write_text(
        "report.html",
        render(
            "comparison.html",
            title=f"{len(comparison.rows)} models of one table, by {comparison.metric}",
            comparison=comparison,
            scored=scored,
            failed=[row for row in comparison.rows if row.score is None],
            plots=figures,
            notes=notes,
            recipe=recipe,
        ),
    )
