"""A question about a table: the target's values, and what the row's inputs are."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.data.table import Table
from plait.errors import DataError
from plait.tasks.asked import Asked


def asked(values: Any, rows: list[int], **more: Any) -> Asked:
    return Asked(Table.from_frame(pd.DataFrame({"y": values})), np.array(rows), "y", **more)


def test_values_are_those_of_training_rows_that_are_not_empty() -> None:
    question = asked(["a", None, "b", "", "c", "b"], [0, 1, 3, 5])
    assert question.column == "y" and question.values == ["a", "b"]
    assert (question.sample.count, question.sample.distinct, question.sample.name) == (2, 2, "y")


def test_one_value_in_training_and_more_in_the_table_is_a_matter_of_the_split() -> None:
    with pytest.raises(DataError, match=r"the 2 training rows hold 1 of its values; keep more of the rows"):
        _ = asked(["a", "a", "b"], [0, 1]).sample
    assert asked(["a", "a", "a"], [0, 1]).sample.distinct == 1  # there is no more to be had
    assert asked(["a", "a", None], [0, 1, 2]).sample.distinct == 1


def test_a_type_of_categories_is_known() -> None:
    assert asked(pd.Series(["a", "b"], dtype="category"), [0, 1]).sample.categorical
    assert not asked(["a", "b"], [0, 1]).sample.categorical


def test_how_numbers_are_written_is_said_where_it_is_not_the_plain_way() -> None:
    assert asked(["1.5", "2"], [0, 1]).form is None
    form = asked(["1,5", "2"], [0, 1], decimal=",").form
    assert form is not None and form["decimal"] == ","


def test_pairs_are_aligned_with_the_first_image_or_what_is_named() -> None:
    kinds = {"title": "text", "tabular": "tabular", "photo": "image", "scan": "image"}
    assert asked(["a"], [0], modalities=kinds).anchor(None) == "photo"
    assert asked(["a"], [0], modalities=kinds).anchor("title") == "title"
    assert asked(["a"], [0], modalities={"title": "text"}).anchor(None) is None
