"""Numbers, dates and categories of a row."""

from pathlib import Path

import numpy as np
import pytest

from plait.processors import TabularProcessor, load_processor, save_processor


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
