from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.schema import infer_schema, load_schema, save_schema
from plait.data.splits import holdout, split_column
from plait.data.table import Table
from plait.errors import DataError, RunError

N = 60
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]
COLUMNS = {
    "price": [f"{i * 1.5 % 7:.2f}" for i in range(N)],
    "year": [2000 + i % 9 for i in range(N)],
    "shade": [["dark", "light", None][i % 3] for i in range(N)],
    "city": [["New York", "San Francisco", "Rio de Janeiro"][i % 3] for i in range(N)],
    "title": [" ".join(WORDS[(i * j) % 7] for j in range(1, 7)) for i in range(N)],
    "when": [f"2026-0{1 + i % 9}-11" for i in range(N)],
    "stamp": pd.date_range("2026-01-01", periods=N),
    "photo": [f"p/{i}.JPG" for i in range(N)],
    "photos": [f"p/{i}.jpg; p/{i + 1}.png" for i in range(N)],
    "flag": [i % 2 == 0 for i in range(N)],
    "user_id": [f"u-{i:05d}" for i in range(N)],
    "number": list(range(N)),
    "constant": ["same"] * N,
    "empty": [None] * N,
    "nearly": [str(i % 10) if i else "about 5" for i in range(N)],
}
EXPECTED = {
    "price": "number", "year": "number", "shade": "category", "city": "category", "title": "text", "when": "date",
    "stamp": "date", "photo": "image", "photos": "image", "flag": "category", "user_id": "ignore", "number": "ignore",
    "constant": "ignore", "empty": "ignore", "nearly": "category",
}  # fmt: skip
TABLE = Table.from_frame(pd.DataFrame(COLUMNS))


@pytest.mark.parametrize("name", EXPECTED)
def test_columns_are_typed_with_a_reason(name: str) -> None:
    column = infer_schema(TABLE)[name]
    assert column.modality == EXPECTED[name], column.reason
    assert column.reason


def test_reasons_and_counts_help() -> None:
    schema = infer_schema(TABLE)
    assert schema["user_id"].reason == "its values are unique ids"
    assert "1 of 60 are not, such as 'about 5'" in schema["nearly"].reason
    assert schema["shade"].missing == 20 and schema["shade"].distinct == 2
    assert schema["photos"].many and not schema["photo"].many


def test_overrides_and_roles_win() -> None:
    schema = infer_schema(TABLE, {"user_id": "category", "photo": "text"}, {"shade": "the target"})
    assert (schema["user_id"].modality, schema["photo"].modality) == ("category", "text")
    assert schema["shade"].modality == "ignore" and schema["shade"].reason == "it is the target"
    grouped = infer_schema(TABLE, None, {"photo": "the group", "city": "the group"})
    assert grouped["photo"].modality == "image" and grouped["city"].modality == "ignore"
    with pytest.raises(DataError, match="unknown type 'imag'; did you mean 'image'"):
        infer_schema(TABLE, {"photo": "imag"})
    with pytest.raises(DataError, match="unknown column 'foto'; did you mean 'photo'"):
        infer_schema(TABLE, {"foto": "image"})


def test_schema_round_trip(tmp_path: Path) -> None:
    schema = infer_schema(TABLE)
    save_schema(schema, tmp_path / "schema.json")
    assert load_schema(tmp_path / "schema.json") == schema
    (tmp_path / "schema.json").write_text("[{")
    with pytest.raises(RunError, match="not JSON"):
        load_schema(tmp_path / "schema.json")


@given(
    rows=st.integers(2, 200),
    share=st.floats(0.01, 0.9),
    groups=st.one_of(st.none(), st.integers(2, 20)),
    classes=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_holdout_covers_and_never_tears_a_group(rows, share, groups, classes, seed) -> None:
    random = np.random.default_rng(seed)
    codes = None if groups is None else np.arange(rows) % min(groups, rows)
    labels = random.integers(0, classes, rows)
    first, second = holdout(np.arange(rows), share, labels, codes, seed)
    assert sorted([*first, *second]) == list(range(rows)) and len(first) and len(second)
    if codes is not None:
        assert not set(codes[first]) & set(codes[second])


def test_holdout_is_stratified_and_repeatable() -> None:
    labels = np.repeat([0, 1], [900, 100])
    _first, second = holdout(np.arange(1000), 0.2, labels, seed=3)
    assert len(second) == 200 and labels[second].sum() == 20
    assert np.array_equal(second, holdout(np.arange(1000), 0.2, labels, seed=3)[1])
    assert not np.array_equal(second, holdout(np.arange(1000), 0.2, labels, seed=4)[1])


def test_grouped_holdout_is_stratified_where_it_can_be() -> None:
    groups = np.repeat(np.arange(100), 10)
    labels = (groups < 20).astype(int)
    _, second = holdout(np.arange(1000), 0.2, labels, groups)
    assert labels[second].mean() == pytest.approx(0.2, abs=0.05) and len(second) == pytest.approx(200, abs=30)


def test_too_few_rows_or_groups() -> None:
    with pytest.raises(DataError, match="at least 2 rows, got 1"):
        holdout(np.arange(1), 0.1)
    with pytest.raises(DataError, match="at least 2 groups, got 1"):
        holdout(np.arange(5), 0.1, groups=np.zeros(5, dtype=int))


def test_split_column() -> None:
    table = Table.from_frame(pd.DataFrame({"s": ["train", "Validation", "TEST", "restval"]}))
    parts = split_column(table, "s")
    assert {name: rows.tolist() for name, rows in parts.items()} == {"train": [0, 3], "val": [1], "test": [2]}
    with pytest.raises(DataError, match="row 2, column 's': expected train, val or test, got 'other'"):
        split_column(Table.from_frame(pd.DataFrame({"s": ["train", "other"]})), "s")
    with pytest.raises(DataError, match="row 2, column 's': the split is empty"):
        split_column(Table.from_frame(pd.DataFrame({"s": ["train", None]})), "s")
