"""Frames, columns and rows as people make them."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakes import fitted, frame
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError


def test_columns_named_by_numbers_and_like_our_own(tmp_path: Path) -> None:
    numbered = frame()[["y", "a", "t"]]
    numbered.columns = range(3)
    assert fitted(numbered, tmp_path / "0", target=0, types={2: "text"}).classes_.tolist() == ["b", "s"]
    own = frame().rename(columns={"a": "row", "t": "weight.`kg`", "y": "pooled"}).assign(part=1.5)
    predictor = fitted(own, tmp_path / "1", target="pooled")
    found = next(predictor.predict_frames(own))
    assert found.iloc[:, 0].tolist() == list(range(1, 121)) and "pooled" in found
    target = frame().rename(columns={"y": "row"})
    columns = list(next(fitted(target, tmp_path / "2", target="row").predict_frames(target)).columns)
    assert columns == ["row_", "row", "row_probability", "row_p_b", "row_p_s"]
    with pytest.raises(DataError, match="two columns of the name '1'"):
        Table.from_frame(pd.DataFrame([[1, 2]], columns=[1, "1"]))


class Opaque:
    """An object that no modality covers."""


def test_frames_as_people_make_them() -> None:
    rows = 24
    given = pd.DataFrame(
        {
            "waited": pd.to_timedelta(np.arange(rows) * 37, unit="s"),
            "opens": [datetime.time(i % 24, 5) for i in range(rows)],
            "price": [decimal.Decimal(i) / 7 for i in range(rows)],
            "month": pd.period_range("2024-01", periods=rows, freq="M"),
            "bucket": pd.cut(np.arange(rows), 3),
            "count": pd.array([None, *(i * i % 7 for i in range(rows - 1))], dtype="Int64"),
            "thing": [Opaque() for _ in range(rows)],
            "mixed": [Opaque() if i % 2 else "text" for i in range(rows)],
            "photo": [Image.new("RGB", (4, 3), (i, 0, 0)) for i in range(rows)],
            "array": [np.full((3, 4), i, np.uint8) for i in range(rows)],
            "vector": [np.full(5, i / 7) for i in range(rows)],
        }
    )
    schema = infer_schema(Table.from_frame(given))
    modalities = {name: column.modality for name, column in schema.items()}
    assert modalities == {
        "waited": "number", "opens": "number", "price": "number", "month": "date", "bucket": "category",
        "count": "number", "thing": "ignore", "mixed": "ignore", "photo": "image", "array": "image", "vector": "ignore",
    }  # fmt: skip
    assert "seconds" in schema["waited"].reason and "Opaque objects" in schema["thing"].reason
    for what in ("the target", "text"):
        with pytest.raises(DataError, match=f"'thing' can't be {what}: its cells are Opaque"):
            infer_schema(Table.from_frame(given), *({"thing": what},) if what == "text" else ({}, {"thing": what}))
    with pytest.raises(DataError, match=r"row 1, column 'x': expected an image as H×W.*channels first"):
        Table.from_frame(pd.DataFrame({"x": [np.zeros((3, 8, 8), np.uint8)]}))
    with pytest.raises(DataError, match="uint8"):
        Table.from_frame(pd.DataFrame({"x": [np.zeros((8, 8, 3))]}))


@pytest.mark.parametrize("cell", ["\ud800", ["\ud800"], {"a": "\ud800"}], ids=["text", "list", "dict"])
def test_half_a_character_is_a_line(cell: Any) -> None:
    with pytest.raises(DataError, match="column 'x': half a character"):
        Table.from_frame(pd.DataFrame({"x": pd.Series([cell, None], dtype=object)}))


def test_dates_that_python_has_no_value_for(tmp_path: Path) -> None:
    import pyarrow as pa

    for kind in (pa.timestamp("s"), pa.timestamp("ns", "Mars/Phobos")):
        table = Table(pa.table({"d": pa.array([0, 2**60], kind), "x": [1, 2]}), None, "t")
        with pytest.raises(DataError, match=r"t: row \d, column 'd': this timestamp"):
            table.cells("d", [0, 1])


@pytest.mark.parametrize("carrier", ["dicts", "columns", "arrow", "one row"])
def test_rows_in_memory(carrier: str, tmp_path: Path) -> None:
    given = frame()
    predictor = fitted(given, tmp_path)
    rows: Any = {
        "dicts": given.drop(columns="y").to_dict("records"),
        "columns": given.drop(columns="y").to_dict("list"),
        "arrow": Table.from_frame(given).data,
        "one row": {"a": float(given["a"][0]), "t": given["t"][0]},
    }[carrier]
    said = predictor.predict(rows)
    assert said.tolist() == predictor.predict(given).tolist()[: len(said)]
    with pytest.raises(DataError, match="columns differ in length"):
        predictor.predict({"a": [1, 2], "t": "x"})


def test_frames_with_numbers_of_many_digits_become_text() -> None:
    assert open_table(pd.DataFrame({"n": [10**30, 1]})).cells("n", [0]) == [str(10**30)]
