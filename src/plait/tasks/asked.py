"""What a task is made of: a column's training values, and what the row's inputs are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.data.table import Table
from plait.errors import DataError
from plait.modalities import MODALITIES, NUMBER, Sample
from plait.tasks.pairs import Sides
from plait.values import as_text, is_missing


@dataclass(frozen=True)
class Asked:
    """A question about a table.

    Args:
        table: the training table.
        rows: of training.
        target: the column to predict; None where the task has none.
        sides: input → the columns that it reads.
        modalities: input → what it is, the name of a modality or of a group.
        decimal: the mark before the fraction of numbers that are texts, where the user says so.
        lenient: a cell that is no such target counts as empty.
        words: (cells, longest text, whether texts are short) → how texts become tokens, and what is known of a language
            model that writes them; given where a decoder writes.
    """

    table: Table
    rows: np.ndarray
    target: str | None
    sides: Sides = field(default_factory=dict)
    modalities: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    lenient: bool = False
    words: Callable[[Sequence[Any], int, bool], tuple[Any, dict[str, Any] | None]] | None = None

    @property
    def column(self) -> str:
        """The target's column."""
        assert self.target is not None, "a task without a target asks for its column"
        return self.target

    @property
    def values(self) -> list[Any]:
        """The target's cells in training rows that are not empty."""
        return [value for value in self.table.cells(self.column, self.rows) if not is_missing(value)]

    @property
    def sample(self) -> Sample:
        """What the target's kind is told by.

        Raises:
            DataError: its training rows hold one value only, while the table holds more.
        """
        values = self.values
        distinct = len({as_text(value) for value in values})
        table = self.table
        if distinct < 2 and len(self.rows) < len(table) and len(table.codes(self.column)[1]) > 1:
            raise DataError(
                f"target {self.column!r}: the {len(self.rows)} training rows hold {distinct} of its values; "
                "keep more of the rows for training (--val, --test), or add rows"
            )
        categorical = self.column in table.categorical
        return Sample(self.column, values, len(values), distinct, categorical=categorical, decimal=self.decimal)

    @property
    def form(self) -> dict[str, str] | None:
        """How the target's texts write numbers, where that is not the plain way."""
        values = self.values
        return NUMBER.form(Sample(self.column, values, len(values), 0, decimal=self.decimal))

    def anchor(self, named: str | None) -> str | None:
        """The side that others are aligned with: the named one, else the first whose modality says so; else None."""
        anchors = [n for n, name in self.modalities.items() if name in MODALITIES and MODALITIES[name].anchors]
        return named or (anchors[0] if anchors else None)
