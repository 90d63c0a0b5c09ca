"""Numbers and dates in cells of every kind."""

import datetime
import decimal
import math

import numpy as np
import pandas as pd
import pytest

from plait.errors import DataError
from plait.values import as_date, as_number, date_parts, is_missing


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_missing(value: object) -> None:
    assert is_missing(value)


@pytest.mark.parametrize(("value", "expected"), [("3.5", 3.5), (" 7 ", 7), (True, 1), (2, 2), ("1e3", 1000)])
def test_numbers(value: object, expected: float) -> None:
    assert as_number("x", value) == expected


@pytest.mark.parametrize("value", [None, "", "NA", "n/a", "?", "inf", math.inf, "nan"])
def test_no_number(value: object) -> None:
    assert math.isnan(as_number("x", value))


def test_bad_number_names_column_value_and_way_out() -> None:
    with pytest.raises(DataError, match=r"column 'price': expected a number, got '12 EUR'; fix or empty the cell"):
        as_number("price", "12 EUR")
    with pytest.raises(DataError, match="expected a date such as"):
        as_date("day", "yesterday")


def test_date_parts_by_hand() -> None:
    assert date_parts("d", "2026-11-22T08:30") == [2026, 11, 22, 6, 8.5]  # a Sunday
    assert all(math.isnan(part) for part in date_parts("d", None))


@pytest.mark.parametrize("text", ["1_12", "1e5x", "0x1F", "1 2", "1,5", "--3", "e5", ".", "1.2.3", "$5", "١_٢", "nan1"])
def test_only_what_people_call_a_number_is_one(text: str) -> None:
    with pytest.raises(DataError, match="expected a number, got"):
        as_number("x", text)


def test_numbers_of_every_carrier() -> None:
    values = [7, 7.0, " 7 ", "7", "+7", "7.", np.int8(7), np.float32(7), decimal.Decimal(7), "70e-1"]
    assert [as_number("x", value) for value in values] == [7.0] * len(values)
    assert as_number("x", datetime.timedelta(hours=1)) == as_number("x", np.timedelta64(3600, "s")) == 3600
    assert as_number("x", datetime.time(8, 30)) == 30_600
    assert all(np.isnan(as_number("x", value)) for value in (None, "", "NA", "-", float("nan"), pd.NA, pd.NaT, "inf"))
    assert all(is_missing(value) for value in (pd.NA, pd.NaT, np.datetime64("NaT"), decimal.Decimal("NaN")))
    with pytest.raises(DataError, match="larger than any number"):
        as_number("x", 10**400)
    with pytest.raises(DataError, match="expected a number"):
        as_number("x", [1])
