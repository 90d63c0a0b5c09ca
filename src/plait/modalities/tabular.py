"""All columns of numbers, categories and dates, as one input."""

from collections.abc import Mapping, Sequence
from typing import Any

from plait.modalities.modality import Group
from plait.modalities.noises import Noise, with_noise


def fit(cells: Mapping[str, Sequence[Any]], columns: Mapping[str, Sequence[str]], **options: Any) -> Any:
    """The processor of training rows; see `plait.processors.TabularProcessor.fit` for the options."""
    from plait.processors import TabularProcessor

    return TabularProcessor.fit(
        cells, numbers=columns["number"], dates=columns["date"], categories=columns["category"], **options
    )


def noisy_numbers(row: Mapping[str, Any], level: float, random: Any, processor: Any) -> dict[str, Any]:
    """A row with a normal error added to each number, of `level` times its column's standard deviation."""
    deviations = {name: level * processor.stats[name][1] for name in processor.numbers}
    return with_noise(row, deviations, random, processor.number)


TABULAR = Group(
    name="tabular",
    members=("number", "category", "date"),
    default="scratch:tabular",
    processors=("tabular",),
    fit=fit,
    noises={"number_noise": Noise((0.1, 0.25, 0.5, 1.0), "deviations of the column", noisy_numbers)},
)
