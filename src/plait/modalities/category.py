"""Categories: a few names that recur."""

from typing import Any

from plait.modalities.modality import Modality
from plait.modalities.sample import Sample
from plait.modalities.text import codes

SHORT = 4  # words; a value with as many or more is a text


def recognise(sample: Sample) -> str | None:
    """Its type says so, or it has few distinct values, which are short and recur."""
    if sample.categorical:
        return f"its type is category, {sample.distinct:,} of them"
    if sample.declared == "boolean":
        return "it is true or false"
    if not sample.few:
        return None
    if sample.are_codes:
        return codes(sample)
    if sample.hint:
        return sample.hint
    if sample.words < SHORT and sample.distinct < sample.count:
        return f"{sample.distinct:,} distinct short values in {sample.count:,} cells"
    return None


def sample_cells() -> list[Any]:
    """Names, a boolean, a whole number, and an empty cell."""
    return ["red", "blue", True, 3, None]


CATEGORY = Modality(
    name="category",
    plural="categories",
    recognise=recognise,
    default="scratch:tabular",
    processors=("tabular",),
    group="tabular",
    fallback=True,
    unusable="not_a_category",
    sample_cells=sample_cells,
)
