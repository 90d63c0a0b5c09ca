"""Sides of a pair as codes of equal values."""

import pandas as pd

from plait.data.table import Table
from plait.tasks.pairs import needs_two, side_codes


def test_texts_are_equal_whatever_their_case_and_spaces() -> None:
    table = Table.from_frame(pd.DataFrame({"title": ["A  cat", "a CAT ", "dog", "", None], "n": [1, 1, 2, 2, 1]}))
    assert side_codes(table, {"title": ["title"], "n": ["n"]}).T.tolist() == [[0, 0, 1, -1, -1], [0, 0, 1, 1, 0]]


def test_a_side_of_several_columns_is_there_where_any_of_them_is() -> None:
    frame = pd.DataFrame({"p": ["x", "x", None, None], "q": ["1", None, "1", None]})
    codes = side_codes(Table.from_frame(frame), {"both": ["p", "q"], "gone": ["r"], "some": ["r", "p"]})
    assert codes[:, 0].tolist() == [0, 1, 2, -1]
    assert codes[:, 1].tolist() == [-1] * 4 and codes[:, 2].tolist() == [0, 0, -1, -1]


def test_what_a_table_lacks_is_named_by_its_sides() -> None:
    assert needs_two({"photo": ["photo"], "title": ["a", "b"]}) == "fewer than two of the columns photo, title"
