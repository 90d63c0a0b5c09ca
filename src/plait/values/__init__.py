"""What a raw cell means: one rule for missing, numbers, dates, texts and categories, wherever it came from.

A frame, a CSV file, Parquet, JSON lines, `--set` and a dict bring the same value in different clothes: 3, 3.0, "3" and
numpy's 3 are one value. All code that reads a cell asks here, so that training, prediction and serving agree.
"""

from plait.values.cells import (
    DATE_PARTS,
    MISSING_WORDS,
    as_date,
    as_number,
    as_text,
    date_form,
    date_parts,
    is_missing,
    number_form,
    plain,
    shown,
)
from plait.values.forms import ISO, PLAIN, DateForm, NumberForm, Reading, is_plain_number, read_dates, read_numbers
from plait.values.vocabulary import Known, Vocabulary, are_codes, count_values, in_order, natives

__all__ = [
    "DATE_PARTS",
    "ISO",
    "MISSING_WORDS",
    "PLAIN",
    "DateForm",
    "Known",
    "NumberForm",
    "Reading",
    "Vocabulary",
    "are_codes",
    "as_date",
    "as_number",
    "as_text",
    "count_values",
    "date_form",
    "date_parts",
    "in_order",
    "is_missing",
    "is_plain_number",
    "natives",
    "number_form",
    "plain",
    "read_dates",
    "read_numbers",
    "shown",
]
