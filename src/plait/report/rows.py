"""What a row holds, as a page shows it."""

from collections.abc import Mapping

from plait.data.batches import InputSpec
from plait.data.table import Table
from plait.modalities import Media, show_cell
from plait.report.page import SIDE, as_cell

CELLS, TEXT, PICTURES = 8, 300, 3


def row_shown(
    inputs: Mapping[str, InputSpec], table: Table, media: Media, row: int
) -> tuple[list[tuple[str, str]], list[dict[str, str | None]]]:
    """Columns and their texts, and what is to be seen or heard, for `value.html`.

    Args:
        inputs: what a model reads.
        table: the rows.
        media: where cells look for files.
        row: its number, from 0.
    """
    cells: list[tuple[str, str]] = []
    shown: list[dict[str, str | None]] = []
    seen: set[str] = set()
    for spec in inputs.values():
        for column in spec.columns:
            if column not in table or column in seen:
                continue
            seen.add(column)
            value = table.cells(column, [row])[0]
            pieces = [] if spec.kind is None else show_cell(spec.kind, value, media, SIDE, PICTURES)
            shown += [as_cell(one) for one in pieces if one.image is not None or one.play is not None]
            text = str(value)[:TEXT] if spec.kind is None else "; ".join(one.text for one in pieces)
            if len(cells) < CELLS and not (spec.kind is not None and spec.kind.media):
                cells.append((column, "–" if value is None or not text else text))
    return cells, shown
