"""A category or class is the same wherever it comes from."""

import decimal
import enum
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.readers import open_table
from plait.data.table import Table
from plait.values import Vocabulary, as_text, count_values, in_order, natives

INTEGERS = st.integers(-(10**6), 10**6)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=8)


def carried(values: list[Any], carrier: str, folder: Path) -> list[Any]:
    """The cells of a column after they went through a carrier."""
    frame = pd.DataFrame({"x": pd.Series(values), "other": range(len(values))})
    if carrier == "frame":
        table = Table.from_frame(frame)
    elif carrier == "frame of floats":  # what one empty cell makes of a column of integers
        table = Table.from_frame(frame.assign(x=frame["x"].astype(float)))
    elif carrier == "frame of texts":
        table = Table.from_frame(frame.assign(x=[as_text(v) for v in values]))
    elif carrier == "nullable":
        table = Table.from_frame(frame.assign(x=frame["x"].astype("Int64")))
    elif carrier == "categorical":
        table = Table.from_frame(frame.assign(x=frame["x"].astype("category")))
    elif carrier == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        table = open_table(folder / "t.csv")
    elif carrier == "csv of floats":
        frame.assign(x=frame["x"].astype(float)).to_csv(folder / "t.csv", index=False)
        table = open_table(folder / "t.csv")
    elif carrier == "parquet":
        frame.to_parquet(folder / "t.parquet")
        table = open_table(folder / "t.parquet")
    elif carrier == "jsonl":
        (folder / "t.jsonl").write_text("".join(json.dumps({"x": v}) + "\n" for v in values), encoding="utf-8")
        table = open_table(folder / "t.jsonl")
    elif carrier == "dicts":
        table = open_table([{"x": v} for v in values])
    else:
        table = Table(pa.table({"x": [as_text(v) for v in values]}), None, "--set", untyped=True)
    return table.cells("x", range(len(table)))


CARRIERS = ["frame", "frame of texts", "categorical", "csv", "parquet", "jsonl", "dicts", "--set"]
OF_INTEGERS = [*CARRIERS, "frame of floats", "nullable", "csv of floats"]


@pytest.mark.parametrize("learned", OF_INTEGERS)
@settings(max_examples=12)
@given(values=st.lists(INTEGERS, min_size=2, max_size=8, unique=True))
def test_integers_are_one_category_between_carriers(
    learned: str, values: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("t")
    cells = carried(values, learned, folder)
    vocabulary = Vocabulary(list(count_values(cells, untyped="csv" in learned or learned == "--set")))
    codes = [vocabulary.find(cell) for cell in cells]
    assert sorted(codes) == list(range(len(values)))
    for carrier in OF_INTEGERS:
        assert [vocabulary.find(cell) for cell in carried(values, carrier, folder)] == codes, carrier


@pytest.mark.parametrize("learned", CARRIERS)
@settings(max_examples=12)
@given(values=st.lists(TEXTS, min_size=2, max_size=6, unique=True))
def test_texts_are_one_category_between_carriers(
    learned: str, values: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = [value for value in values if value.strip().lower() not in {"na", "n/a", "nan", "null", "none"}]
    words = ["a word", *(f"{value}x" for value in plain)]  # no number, no truth, nothing that a file calls empty
    folder = tmp_path_factory.mktemp("t")
    cells = carried(words, learned, folder)
    vocabulary = Vocabulary(list(count_values(cells, untyped=learned in ("csv", "--set"))))
    assert len(vocabulary) == len({word.strip() for word in words})
    for carrier in CARRIERS:
        found = carried(words, carrier, folder)
        assert [vocabulary.values[vocabulary.find(cell)] for cell in found] == [word.strip() for word in words], carrier


@pytest.mark.parametrize("learned", ["frame", "frame of texts", "csv", "parquet", "jsonl", "dicts", "--set"])
def test_truth_is_one_category_between_carriers(learned: str, tmp_path: Path) -> None:
    cells = carried([True, False, True], learned, tmp_path)
    vocabulary = Vocabulary(in_order(count_values(cells, untyped=learned in ("csv", "--set"))))
    said = [False, "false", "False", "FALSE", np.False_]
    assert [vocabulary.find(value) for value in said] == [0] * len(said)
    assert [vocabulary.find(value) for value in (True, "true", "True", 1, 1.0, "1")] == [1] * 6


def test_what_differs_within_a_column_stays_apart() -> None:
    for pair in (["1", "1.0"], ["3.1", "3.10"], ["07", "7"], ["1e3", "1000"]):
        counts = count_values(pair, untyped=True)
        vocabulary = Vocabulary(list(counts))
        assert list(counts) == pair and [vocabulary.find(text) for text in pair] == [0, 1]
    assert Vocabulary(["3.10", "3.2"]).find("3.1") == Vocabulary.UNKNOWN  # a version is no number
    assert Vocabulary([1, 2]).find(True) == Vocabulary.UNKNOWN and Vocabulary([0, 1]).find(True) == 1
    assert Vocabulary(["1.0", "1"]).find(1) == 1 and Vocabulary(["1.0", "1"]).find(1.0) == 0


class Size(enum.Enum):
    SMALL = "s"


def test_wrapped_values_are_what_they_wrap() -> None:
    vocabulary = Vocabulary([1.5, 2])
    assert vocabulary.find(decimal.Decimal("1.50")) == 0 and vocabulary.find(np.float32(1.5)) == 0
    assert vocabulary.find(np.int8(2)) == 1 and Vocabulary(["s"]).find(Size.SMALL) == 0
    assert Vocabulary([0.1, 0.2]).find(np.float32(0.1)) == 0


@given(
    st.lists(st.one_of(INTEGERS, st.booleans(), TEXTS, st.floats(allow_nan=False, allow_infinity=False)), max_size=20)
)
def test_every_counted_value_is_found(values: list[Any]) -> None:
    counts = count_values(values)
    assert sum(counts.values()) == sum(1 for value in values if not isinstance(value, str) or value.strip())
    vocabulary = Vocabulary(list(counts))
    assert all(vocabulary.find(value) >= 0 for value in values if not isinstance(value, str) or value.strip())


@given(st.lists(st.text("0123456789.-e_ +", max_size=6), max_size=8))
def test_natives_never_join_texts(texts: list[str]) -> None:
    found = natives(texts)
    assert len({(type(value), value) for value in found.values()}) == len(set(texts))
