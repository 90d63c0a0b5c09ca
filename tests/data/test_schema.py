"""Columns are typed with a reason; what the user says wins."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from plait.data.readers import open_table
from plait.data.schema import IGNORE, infer_schema, load_schema, sample_of, save_schema
from plait.data.table import Table
from plait.errors import DataError, RunError


@pytest.mark.parametrize(
    ("name", "text", "modality", "reason"),
    [
        ("price", ["$12.50", "$3.10", "$4"], "number", "in \\$"),
        ("price", ["12,5", "3,75", "4"], "number", "',' before the fraction"),
        ("price", ["1,234.50", "3.10", "12"], "number", "',' between thousands"),
        ("price", ["1,234", "2,345", "3,456"], "category", "--decimal"),
        ("day", ["2026-01-02", "27/11/2026", "03/04/2026"], "date", "day/month/year"),
        ("day", ["2026-01-02", "03/04/2026", "05/06/2026"], "category", "write dates as"),
        ("size", ["1", "2", "S", "3"], "category", "10 of 40 are not, such as 'S'"),
        ("code", ["1_12", "2_3", "11_2"], "category", "distinct short values"),
        ("version", ["3.1", "3.10", "3.2"], "category", "codes, such as '3.10'"),
        ("zip", ["07001", "10115", "20095"], "category", "codes"),
    ],
)
def test_numbers_and_dates_as_people_write_them(
    name: str, text: list[str], modality: str, reason: str, tmp_path: Path
) -> None:
    import re

    values = [text[i % len(text)] for i in range(40)]
    pd.DataFrame({name: values, "y": ["a", "b"] * 20}).to_csv(tmp_path / "t.csv", index=False)
    column = infer_schema(open_table(tmp_path / "t.csv"))[name]
    assert column.modality == modality and re.search(reason, column.reason), column


# What a column is, in which order it is asked.


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([f"2026-01-{day:02d}" for day in range(1, 29)], "date"),  # never ids, though each differs
        ([f"{n}.jpg" for n in range(30)], "image"),
        (list(range(30)), IGNORE),  # they count up
        ([n * 1.5 for n in range(30)], "number"),
        ([f"A-{n:05d}" for n in range(30)], IGNORE),
        (["red", "blue"] * 15, "category"),
        ([f"0{n % 10}" for n in range(30)], "category"),
        ([f"a sentence of some words, number {n}" for n in range(30)], "text"),
        ([["a", "b"]] * 15 + [["c"]] * 15, IGNORE),
    ],
)
def test_the_order_of_recognition(values: list[Any], expected: str) -> None:
    table = Table.from_frame(pd.DataFrame({"column": values}))
    assert infer_schema(table)["column"].modality == expected
    sample, missing = sample_of(table, "column")
    assert (sample.count, missing) == (30 if len(values) == 30 else 28, 0)


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
