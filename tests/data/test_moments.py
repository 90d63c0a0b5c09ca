"""The order of rows in time."""

import datetime

import numpy as np
import pandas as pd
import pytest

from plait.data.moments import moments
from plait.data.table import Table
from plait.errors import DataError


def of(cells: list[object]) -> list[int]:
    return moments(Table.from_frame(pd.DataFrame({"when": cells})), "when").tolist()


def test_dates_and_numbers_are_ranked_however_they_are_written() -> None:
    assert of(["2026-01-10", "2026-01-02", "2025-12-31", "2026-01-02"]) == [2, 1, 0, 1]
    assert of(["27/11/2026", "2/12/2025"]) == [1, 0]  # as texts the other way round
    assert of(["9", "10", "2"]) == [1, 2, 0] and of([3.5, -1, 3.5]) == [1, 0, 1]
    assert of([datetime.datetime(2026, 1, 1, 12), datetime.datetime(2026, 1, 1, 9)]) == [1, 0]
    assert of(list(pd.to_datetime(["2026-03-01", "2026-02-01"]))) == [1, 0]
    assert of([datetime.time(9), datetime.time(8)]) == [1, 0]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["2026-01-01", None], "row 2, column 'when': the time is empty"),
        (["spring", "autumn"], "expected dates or numbers that order the rows, got such as 'spring'"),
        (["03/04/2026", "04/03/2026"], "is 3 April or 4 March"),
        (["2026-01-01T10:00+02:00", "2026-01-01T10:00"], "some times have a zone and some have none"),
        ([1.0, float("inf")], "infinite|empty"),
    ],
)
def test_what_orders_nothing_is_refused(cells: list[object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        of(cells)


def test_zones_are_compared_as_moments() -> None:
    assert of(["2026-01-01T10:00+02:00", "2026-01-01T09:00+00:00"]) == [0, 1]
    assert np.array_equal(of(["2026-01-01T10:00+02:00", "2026-01-01T08:00+00:00"]), [0, 0])
