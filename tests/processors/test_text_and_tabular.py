import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import DataError, RunError
from plait.processors import TabularProcessor, TextProcessor, load_processor, save_processor
from plait.values import as_date, as_number, date_parts, is_missing

TEXTS = ["a red bird sat on a red roof", "the blue fish swam", "Ünïcode and 漢字 too"] * 3
processor = TextProcessor.train(TEXTS, vocab_size=320, max_length=12)


@given(st.text(min_size=0, max_size=40))
def test_any_text_has_tokens_within_bounds(text: str) -> None:
    ids = processor(text)["ids"]
    assert 1 <= len(ids) <= 12
    assert ids.min() >= 0 and ids.max() < processor.vocab_size


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_collate_keeps_ids_and_pads_the_rest(texts: list[str]) -> None:
    features = [processor(text) for text in texts]
    batch = processor.collate(features)
    for row, feature in enumerate(features):
        assert batch["ids"][row][batch["mask"][row]].tolist() == feature["ids"].tolist()
        assert (batch["ids"][row][~batch["mask"][row]] == processor.pad_id).all()


def test_tokens_come_back_as_the_text() -> None:
    assert processor.tokenizer.decode(processor("A RED bird")["ids"].tolist()).strip() == "a red bird"


def test_text_round_trip(tmp_path: Path) -> None:
    save_processor(processor, tmp_path / "p.json")
    again = load_processor(tmp_path / "p.json")
    assert again("the red fish")["ids"].tolist() == processor("the red fish")["ids"].tolist()
    assert again.max_length == 12


def test_damaged_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"kind": "text", "tok')
    with pytest.raises(RunError, match="not JSON"):
        load_processor(tmp_path / "p.json")


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


def test_tabular_by_hand(tmp_path: Path) -> None:
    columns = {"price": [1, 2, 3, None], "day": ["2026-01-01", None, "2026-01-03", ""], "shade": ["a", "b", "b", None]}
    fitted = TabularProcessor.fit(columns, ["price"], ["day"], ["shade"], bins=2)
    assert fitted.stats["price"] == pytest.approx([2.0, np.std([1, 2, 3])])
    assert fitted.edges["price"] == [1.0, 2.0, 3.0]
    assert fitted.categories == {"shade": ["b", "a"]}  # most frequent first
    features = fitted({"price": 2, "day": "2026-01-02", "shade": "never seen"})
    assert features["numbers"].tolist() == [2, 2026, 1, 2, 4, 0] and features["codes"].tolist() == [0]
    empty = fitted({})
    assert np.isnan(empty["numbers"]).all() and empty["codes"].tolist() == [-1]
    save_processor(fitted, tmp_path / "p.json")
    again = load_processor(tmp_path / "p.json")
    assert again({"shade": "a"})["codes"].tolist() == fitted({"shade": "a"})["codes"].tolist() == [2]


def test_numbers_that_are_all_missing_or_equal_have_edges() -> None:
    fitted = TabularProcessor.fit({"x": [None, None], "y": [5, 5]}, ["x", "y"], [], [])
    assert fitted.edges == {"x": [0.0, 1.0], "y": [5.0, 6.0]} and fitted.stats["y"] == [5.0, 1.0]
