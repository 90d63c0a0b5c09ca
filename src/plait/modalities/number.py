"""Numbers; durations and times of day are taken as seconds."""

import datetime
from collections.abc import Mapping
from typing import Any

from plait.modalities.modality import Modality
from plait.modalities.sample import Sample, described
from plait.values import PLAIN, as_number, number_form

DECLARED = {"duration": "durations", "time": "times of day"}


def recognise(sample: Sample) -> str | None:
    """All of its cells are numbers, and not codes such as 0341."""
    if sample.declared in DECLARED:
        return f"its cells are {DECLARED[sample.declared]}, taken as seconds"
    if sample.categorical or sample.numbers is None or sample.are_codes:
        return None
    return "its cells are numbers" + described(sample.number_reading.form)


def read(column: str, cell: Any, form: Mapping[str, str] | None = None) -> float:
    """The number; NaN where the cell is empty.

    Raises:
        DataError: the cell holds something else.
    """
    return as_number(column, cell, number_form(form))


def form(sample: Sample) -> dict[str, str] | None:
    """What marks fractions and thousands, where it is not the point and nothing."""
    style = sample.number_reading.form
    return None if style in (None, PLAIN) else style.to_json()


def sample_cells() -> list[Any]:
    """Numbers as tables hold them, a duration, and empty cells."""
    return [3, 3.5, "7", "1e3", datetime.timedelta(minutes=2), None, float("nan")]


NUMBER = Modality(
    name="number",
    recognise=recognise,
    default="scratch:tabular",
    processors=("tabular",),
    group="tabular",
    fallback=True,
    numeric=True,
    unusable="not_a_number",
    read=read,
    form=form,
    sample_cells=sample_cells,
)
