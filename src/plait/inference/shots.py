"""`plait evaluate --shots`: how accurate a retrieval run sorts images by class names and by a few examples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plait import console
from plait.data.readers import open_table
from plait.errors import DataError, unknown
from plait.files.atomic import write_text
from plait.inference.few_shot import FewShotReport, shot_curves
from plait.inference.zero_shot import class_vectors, embed_side, load_aligned, scale_of, side_with_media
from plait.predictor import TableLike
from plait.report import plots
from plait.report.page import render
from plait.values import is_missing


def evaluate_shots(
    run: str | Path,
    table: TableLike,
    label: str,
    shots: Sequence[int],
    templates: Sequence[str],
    draws: int = 5,
    allow_outside: bool = False,
) -> FewShotReport:
    """Accuracy against examples a class, and by the names alone.

    Args:
        run: a retrieval run or a pretrained model.
        table: images and their classes.
        label: column of the classes.
        shots: examples a class.
        templates: of the class names.
        draws: of the examples.
        allow_outside: image paths may leave the table's folder.

    Raises:
        DataError: the table has no such column, or too few rows a class.
    """
    opened = open_table(table)
    if label not in opened:
        raise DataError(f"{opened.source}: {unknown('column', label, opened.columns)}")
    predictor = load_aligned(run, allow_outside=allow_outside)
    vectors = embed_side(predictor, side_with_media(predictor), opened)
    cells = list(opened.iterate(label))
    usable = [row for row, cell in enumerate(cells) if not is_missing(cell) and not np.isnan(vectors[row]).any()]
    labels = [str(cells[row]) for row in usable]
    names = sorted(set(labels))
    if len(names) < 2:
        raise DataError(f"{opened.source}: column {label!r} holds {len(names)} classes; two are needed at least")
    texts = None
    if any(spec.kind is not None and spec.kind.words for spec in predictor.inputs_.values()):
        logits = vectors[usable] @ class_vectors(predictor, names, templates).T * scale_of(predictor)
        texts = {name: logits[:, place] for place, name in enumerate(names)}
    return shot_curves(vectors[usable], labels, shots, texts, label, draws)


def show_shots(report: FewShotReport) -> None:
    """Print it as a table."""
    shots = sorted({shot for curve in report.curves for shot in curve.points})
    rows = [
        [c.method, *(f"{np.mean(c.points[s]):.3f} ± {np.std(c.points[s]):.3f}" for s in shots)] for c in report.curves
    ]
    if report.zero_shot is not None:
        rows.insert(0, ["class names alone", f"{report.zero_shot:.3f}", *[""] * (len(shots) - 1)])
    columns = ["method", *(f"{shot} a class" for shot in shots)]
    title = f"accuracy over {len(report.classes)} classes, {report.rows:,} rows judged"
    console.show(console.table(title, columns, rows, columns[1:]))


def write_shots(path: Path, report: FewShotReport, run: str, table: str) -> None:
    """One page with the curves."""
    series = {c.method: [(float(s), float(np.mean(v))) for s, v in sorted(c.points.items())] for c in report.curves}
    if report.zero_shot is not None:
        shots = [s for s, _ in next(iter(series.values()))]
        series["class names alone"] = [(s, report.zero_shot) for s in shots]
    page = render(
        "shots.html",
        title=f"{report.label} from a few examples",
        subtitle=f"{run} on {table}: {len(report.classes)} classes, {report.rows:,} rows judged",
        plot=plots.lines(series, "examples a class", "accuracy"),
        report=report,
        mean=lambda values: float(np.mean(values)),
        spread=lambda values: float(np.std(values)),
    )
    write_text(path, page)
