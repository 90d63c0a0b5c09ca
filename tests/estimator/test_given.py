"""X, y and sample_weight become one table, row by row."""

import numpy as np
import pandas as pd
import pytest

from plait.errors import DataError, PlaitError, RecipeError
from plait.estimator.given import joined, rows_of
from plait.recipe import Recipe


def test_rows_are_joined_by_place_and_not_by_index() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=[7, 5, 6])
    given = joined(frame, pd.Series(["x", "y", "z"], index=[0, 1, 2], name="kind"), np.array([1, 0, 2]))
    assert given.table["kind"].tolist() == ["x", "y", "z"] and given.table["sample_weight"].tolist() == [1.0, 0.0, 2.0]
    assert (given.targets, given.weight) == (["kind"], "sample_weight") and list(frame.columns) == ["a"]
    recipe = given.asked_in(Recipe())
    assert recipe.targets == ["kind"] and recipe.data.weight == "sample_weight"
    named = given.asked_in(Recipe.parse({"task": {"type": "classification"}}))
    assert [(task.target, task.type) for task in named.task] == [("kind", "classification")]


def test_targets_get_names() -> None:
    X = pd.DataFrame({"target": [1, 2], "sample_weight": [3, 4]})
    given = joined(X, [["red", "big"], []], [1, 2])
    assert given.targets == ["target_"] and given.weight == "sample_weight_"
    assert given.table["target_"].tolist() == [["red", "big"], []]  # tags: a list is one cell
    assert joined(X, np.array([[1.0, 2], [3, 4]])).targets == ["target0", "target1"]
    assert joined(X, np.array([[1.0], [3]]), targets=["size"]).targets == ["size"]
    assert joined(X, pd.DataFrame({"a": [1, 2], "b": [3, 4]})).targets == ["a", "b"]
    assert joined(X, pd.Series([8, 9], name="target")).table["target"].tolist() == [8, 9]  # y wins over X's column
    assert joined([{"a": 1}, {"a": 2}], [0, 1]).table.shape == (2, 2)
    assert str(joined(X, pd.Series(["a", "b"], dtype="category")).table["target_"].dtype) == "category"


def test_columns_of_arrays_get_names_and_keep_their_types() -> None:
    mixed = rows_of(np.array([[1.5, "red"], [2, "blue"]], dtype=object))
    assert mixed.columns.tolist() == ["x0", "x1"] and mixed["x0"].dtype == float
    assert rows_of([[1, "a"], (2, "b")], ["n", "t"])["t"].tolist() == ["a", "b"]
    named = np.array([(1, "a")], dtype=[("n", int), ("t", "U1")])
    assert rows_of(named, ["x", "y", "z"]).columns.tolist() == ["n", "t"]
    assert rows_of("table.csv") == "table.csv" and rows_of([{"a": 1}]) == [{"a": 1}]


@pytest.mark.parametrize(
    ("X", "y", "weight", "problem"),
    [
        ("t.csv", [1], None, "y needs rows in memory, got str; name the column instead: Predictor"),
        ("t.csv", None, [1], 'sample_weight needs rows in memory, got str; name the column instead: data={"weight"'),
        ([[1], [2]], "val.csv", None, "a table to validate on is val=…"),
        ([[1], [2]], [1, 2, 3], None, "X has 2 rows and y has 3"),
        ([[1], [2]], [1, 2], [1], "X has 2 rows and sample_weight has 1"),
        ([[1], [2]], [1, 2], ["a", "b"], "sample_weight: expected one number a row"),
        ([1, 2], [1, 2], None, "Reshape your data"),
        (np.zeros(3), None, None, "got 1D array. Reshape your data"),
        (pd.Series([1]), None, None, "got a series"),
        (np.zeros((3, 0)), None, None, r"0 feature\(s\)"),
        (np.zeros((2, 2), dtype=complex), None, None, "Complex data not supported"),
        ([[1], [2]], np.zeros((2, 1, 1)), None, "one target a row"),
    ],
)
def test_what_is_no_table_is_refused(X: object, y: object, weight: object, problem: str) -> None:
    with pytest.raises((DataError, RecipeError), match=problem) as caught:
        joined(X, y, weight)
    assert isinstance(caught.value, PlaitError) and isinstance(caught.value, ValueError)


def test_a_frame_of_another_library_keeps_its_names() -> None:
    class Other:
        """As polars' frames: an array, and a way to pandas."""

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.zeros((1, 2))

        def to_pandas(self) -> pd.DataFrame:
            return pd.DataFrame({"a": [1], "b": [2]})

    assert rows_of(Other()).columns.tolist() == ["a", "b"]


def test_a_sparse_matrix_is_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DataError, match="sparse"):
        rows_of(sparse.eye(3))
    with pytest.raises(DataError, match="expected 2 targets"):
        joined([[1], [2]], [1, 2], targets=["a", "b"])
