"""The page of labels that are probably wrong: each row with its pictures and texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from plait.data.batches import InputSpec
from plait.data.table import Table
from plait.files.atomic import write_text
from plait.modalities import Media
from plait.report.page import render
from plait.report.rows import row_shown


@dataclass(frozen=True)
class Doubted:
    """A row's label, how likely it is, and what is likelier; `row` counts from 1."""

    row: int
    label: str
    probability: float
    likelier: str
    likelier_probability: float


def write_labels(
    path: Path,
    title: str,
    summary: str,
    doubted: Sequence[Doubted],
    table: Table,
    inputs: Mapping[str, InputSpec],
    media: Media,
) -> None:
    """Write the page.

    Args:
        path: of the HTML file.
        title, summary: above the rows.
        doubted: the rows, in order.
        table, inputs, media: where their values are.

    Raises:
        RunError: the file can't be written.
    """
    cards = []
    for one in doubted:
        cells, shown = row_shown(inputs, table, media, one.row - 1)
        cards.append({**asdict(one), "cells": cells, "shown": shown})
    write_text(path, render("labels.html", title=title, summary=summary, cards=cards))
