"""What a task is fitted on: a column's training values, and the inputs of a row."""

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
        modalities: input → the name of its modality or group.
        decimal: the mark before the fraction of numbers that are texts, where the user names it.
        lenient: a target cell that can't be read counts as empty.
        words: (cells, longest text, whether texts are short) → how texts become tokens, and facts about the language
            model that writes them, if one does; set where a decoder writes.
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
        """The target's cells in training rows, without empty ones."""
        return [value for value in self.table.cells(self.column, self.rows) if not is_missing(value)]

    @property
    def sample(self) -> Sample:
        """A sample of the target's values, from which its task is guessed.

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
        """The side that others are aligned with: `named`, else the first whose modality is an anchor, else None."""
        anchors = [n for n, name in self.modalities.items() if name in MODALITIES and MODALITIES[name].anchors]
        return named or (anchors[0] if anchors else None)
