"""Dates, with or without a time of day."""

import datetime
from collections.abc import Mapping
from typing import Any

from plait.modalities.modality import Modality
from plait.modalities.sample import Sample, described
from plait.values import ISO, as_date, date_form


def recognise(sample: Sample) -> str | None:
    """All of its cells are dates."""
    if sample.categorical or not sample.are_dates:
        return None
    return "its cells are dates" + described(sample.date_reading.form)


def read(column: str, cell: Any, form: Mapping[str, str] | None = None) -> datetime.datetime | None:
    """The date and time; None where the cell is empty.

    Raises:
        DataError: the cell holds something else.
    """
    return as_date(column, cell, date_form(form))


def form(sample: Sample) -> dict[str, str] | None:
    """The order of day, month and year, where it is not ISO 8601's."""
    style = sample.date_reading.form
    return None if style in (None, ISO) else style.to_json()


def sample_cells() -> list[Any]:
    """A date, a date with a time, a text, and an empty cell."""
    return [datetime.date(2026, 11, 27), datetime.datetime(2026, 11, 27, 8, 30), "2026-11-27", None]


DATE = Modality(
    name="date",
    recognise=recognise,
    default="scratch:tabular",
    processors=("tabular",),
    group="tabular",
    fallback=True,
    unusable="not_a_date",
    read=read,
    form=form,
    sample_cells=sample_cells,
)
