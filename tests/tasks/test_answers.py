"""Answers as columns, where some rows get none."""

import numpy as np
import pandas as pd

from plait.tasks import Classification, Targets
from plait.tasks.answers import answer_array, answer_frame

TARGETS = Targets({"y": Classification(["a", "b"])})
FOUND = {"y": np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])}


def test_rows_are_counted_from_one_and_come_first() -> None:
    frame = answer_frame(TARGETS, FOUND, np.array([4, 5, 9]))
    assert list(frame.columns) == ["row", "y", "y_probability", "y_p_a", "y_p_b"]
    assert frame["row"].tolist() == [5, 6, 10] and frame["y"].tolist() == ["a", "a", "b"]
    assert frame["y_p_b"].tolist() == [0.25, 0.5, 0.75]


def test_skipped_rows_keep_their_place_without_an_answer() -> None:
    frame = answer_frame(TARGETS, FOUND, np.array([4, 5, 9]), skipped={5, 77})
    assert frame["row"].tolist() == [5, 6, 10]
    assert frame["y"].iloc[[0, 2]].tolist() == ["a", "b"] and pd.isna(frame["y"].iloc[1])
    assert np.isnan(frame["y_probability"].iloc[1]) and frame["y_p_a"].isna().tolist() == [False, True, False]


def test_a_target_that_is_called_row_leaves_the_number_another_name() -> None:
    frame = answer_frame(Targets({"row": Classification(["a", "b"])}), {"row": FOUND["y"]}, np.array([0, 1, 2]))
    assert list(frame.columns[:2]) == ["row_", "row"] and frame["row_"].tolist() == [1, 2, 3]


def test_an_array_has_the_type_of_its_answers() -> None:
    assert answer_array([1, 2, 3]).dtype.kind == "i" and answer_array(["a", "bb"]).dtype.kind == "U"
    gone = answer_array([1, 2, 3], skipped={1})
    assert gone.dtype == object and gone.tolist() == [1, None, 3]
    tags = answer_array([["x"], ["y", "z"], []], skipped={2})
    assert tags.shape == (3,) and tags.tolist() == [["x"], ["y", "z"], None]
