"""The page of a model's modalities: what each gives, and the score as they go missing or get worse."""

from pathlib import Path

from plait.evaluation.modalities import ModalityReport, curve_tables
from plait.files.atomic import write_text
from plait.report import plots
from plait.report.page import render


def write_modalities(path: Path, report: ModalityReport, run: str, table: str) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        report: scores and curves.
        run, table: names of what was scored on what.

    Raises:
        RunError: the file can't be written.
    """
    curves, tables = [], curve_tables(report)
    every = [score for _, scores in tables for curve in scores.values() for score in curve.values()]
    margin = 0.05 * (max(every, default=1.0) - min(every, default=0.0)) or 0.05
    # All curves have the same limits, so that they can be compared.
    limits = (min(every, default=0.0) - margin, max(every, default=1.0) + margin)
    for title, scores in tables:
        levels = list(next(iter(scores.values())))
        values_by_name = {name: list(curve.values()) for name, curve in scores.items()}
        svg = plots.levels(values_by_name, levels, report.metric, limits)
        curves.append({"title": title, "plot": svg, "levels": levels, "scores": values_by_name})
    page = render(
        "modalities.html",
        title=f"The modalities of {run}",
        subtitle=f"{report.metric} on {report.rows:,} rows of {table}",
        modalities=report,
        curves=curves,
    )
    write_text(path, page)
