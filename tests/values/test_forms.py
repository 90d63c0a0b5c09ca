"""How a column writes its numbers and dates."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import DataError
from plait.values import DateForm, NumberForm, as_date, read_dates, read_numbers


@given(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)))
def test_a_form_reads_what_it_writes(number: float) -> None:
    for form in (NumberForm(), NumberForm(",", "."), NumberForm(".", ","), NumberForm(",", " "), NumberForm(".", "'")):
        written = f"{number:,.2f}".replace(",", "t").replace(".", form.decimal).replace("t", form.thousands)
        assert form.read(written) == pytest.approx(number)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["$12.50", "$3.00"], NumberForm(".", "", "$")),
        (["12,5", "1"], NumberForm(",")),
        (["1,234.50", "3"], NumberForm(".", ",")),
        (["€ 19.41", "€ 3.00"], NumberForm(".", "", "€")),
        (["1.234,50 €", "3,00 €"], NumberForm(",", ".", "€")),
        (["1 234,5", "12"], NumberForm(",", " ")),
        (["12 %", "3.5%"], NumberForm(".", "", "%")),
        (["1.234", "0.5"], NumberForm()),
        (["1,234,567", "2"], NumberForm(".", ",")),
        (["-1e-3", "5"], NumberForm()),
    ],
)
def test_a_column_that_can_be_read_in_one_way_is(texts: list[str], form: NumberForm) -> None:
    assert read_numbers(texts).form == form


@pytest.mark.parametrize("texts", [["1,234", "2,500"], ["1.234", "2.500"], ["1,234", "12"], ["$1,234"]])
def test_no_guess_where_there_are_two_ways(texts: list[str]) -> None:
    found = read_numbers(texts)
    assert found.form is None and "--decimal" in found.hint
    point, comma = read_numbers(texts, ".").form, read_numbers(texts, ",").form
    assert isinstance(point, NumberForm) and isinstance(comma, NumberForm) and point.read("1.5") == comma.read("1,5")


def test_units_must_agree() -> None:
    assert read_numbers(["$5", "€5"]).form is None and read_numbers(["$5", "5"]).form is None


def test_dates() -> None:
    assert read_dates(["2026-01-02", "27/11/2026", "03/04/2026"]).form == DateForm("dmy")
    assert read_dates(["12/31/2026", "01/02/2026"]).form == DateForm("mdy")
    assert read_dates(["27.11.2026 08:30"]).form == DateForm("dmy")
    assert read_dates(["2026/11/27"]).form == DateForm()
    ambiguous = read_dates(["2026-01-02", "03/04/2026"])
    assert ambiguous.form is None and "2026-04-03" in ambiguous.hint
    assert read_dates(["31/31/2026"]).form is None and read_dates(["a word"]).form is None
    assert as_date("d", "27.11.2026 8:30", DateForm("dmy")) == datetime.datetime(2026, 11, 27, 8, 30)
    with pytest.raises(DataError, match="expected a date"):
        as_date("d", "27/11/2026")
