"""What can be told from some cells of a column."""

import datetime
from typing import Any

import pytest

from plait.modalities.sample import Sample, described, file_names
from plait.values import ISO, PLAIN


def sample(values: list[Any], name: str = "column", **more: Any) -> Sample:
    return Sample(name, values, len(values), len({str(value) for value in values}), **more)


def test_numbers_are_numbers_where_all_cells_are() -> None:
    assert sample(["1", "2.5", 3]).numbers == [1.0, 2.5, 3.0] and sample(["1", "two"]).numbers is None
    assert sample(["1,5", "2,25"], decimal=",").numbers == [1.5, 2.25]
    assert sample([True, 1]).numbers is None  # truth is no number
    assert sample(["1", "NA"]).number_reading.form == PLAIN  # a word for nothing stands in nobody's way


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-11-27", "2026-11-28"], True),
        ([datetime.date(2026, 11, 27)], True),
        (["20261127"], False),  # a number to everybody else
        ([20261127], False),
        (["2026-11-27", "soon"], False),
    ],
)
def test_dates_are_more_than_numbers(values: list[Any], expected: bool) -> None:
    assert sample(values).are_dates is expected
    assert sample(values, declared="moment").are_dates


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        (list(range(5, 30)), "count", True),  # 5, 6, 7, … tell rows apart and nothing else
        (list(range(0, 75, 3)), "count", True),
        ([n * n for n in range(25)], "count", False),
        ([n * n for n in range(25)], "order_id", True),
        ([n / 2 for n in range(25)], "order_id", False),
        ([f"A-{n:05d}" for n in range(25)], "thing", True),
        (["word" + "x" * n for n in range(25)], "thing", False),
        (["word" + "x" * n for n in range(25)], "uuid", True),
        ([f"a sentence of {n} words" for n in range(25)], "id", False),
        (list(range(10)), "id", False),  # too few to say so
        ([f"2026-01-{n:02d}" for n in range(1, 26)], "id", False),
    ],
)
def test_ids_only_tell_rows_apart(values: list[Any], name: str, expected: bool) -> None:
    assert sample(values, name).are_ids is expected


def test_few_values_may_be_categories_and_few_whole_numbers_classes() -> None:
    assert sample(["a", "b"] * 3).few and not sample([f"w{n}" for n in range(21)]).few
    assert Sample("x", ["a"], 500, 100).few and not Sample("x", ["a"], 500, 101).few  # a fifth of the cells
    assert sample([1.0, 2.0] * 10).few_whole and not sample([1.5, 2.0] * 10).few_whole
    assert not sample(list(range(10)) * 2).few_whole and sample(list(range(10)) * 5).few_whole


def test_codes_look_like_numbers_and_are_names() -> None:
    codes = sample(["0341", "0352"] * 20)
    assert codes.are_codes and codes.code == "'0341'"
    assert not sample(["341", "352.5"] * 20).are_codes and not sample(["a1"]).are_codes


def test_a_column_that_is_mostly_numbers_gets_a_hint() -> None:
    hint = sample(["1", "2", "oops"], "price").hint
    assert hint is not None and "most cells are numbers, but 1 of 3 are not, such as 'oops'" in hint
    assert "--type price=number" in hint and sample(["a", "b", "1"]).hint is None
    dates = sample(["2026-11-27", "2026-11-28", "someday"], "day").hint
    assert dates is not None and "most cells are dates" in dates and "--type day=date" in dates


def test_forms_are_described_where_they_are_not_plain() -> None:
    assert described(PLAIN) == described(ISO) == described(None) == ""
    assert described(sample(["1,5"], decimal=",").number_reading.form).startswith(" (")


def test_names_of_files_by_their_endings() -> None:
    endings = frozenset({".png", ".jpg"})
    assert file_names(["a.PNG", "b/c.jpg; d.png"], endings) and not file_names(["a.png", "b.txt"], endings)
