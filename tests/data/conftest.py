"""A source of images, texts and numbers that counts what it decodes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import picture
from plait.data.batches import Cache, InputSpec, TableSource
from plait.data.table import Table
from plait.processors import ImageProcessor, TabularProcessor, TextProcessor


class Counting(ImageProcessor):
    """Counts what it decodes."""

    calls = 0

    def __call__(self, value):
        self.calls += 1
        return super().__call__(value)


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    for name in ("red", "green", "blue"):
        picture(tmp_path / f"{name}.png", name)
    frame = pd.DataFrame(
        {
            "photo": ["red.png", "red.png;blue.png", None, "green.png", "red.png"],
            "title": ["a b", "a b", "", "c", None],
            "price": [1.0, None, 3.0, 4.0, 5.0],
        }
    )
    text = TextProcessor.train(["a b", "c"], vocab_size=300)
    tabular = TabularProcessor.fit({"price": frame["price"]}, ["price"], [], [])
    specs = {
        "photo": InputSpec(("photo",), Counting(8), "image"),
        "title": InputSpec(("title",), text, "text"),
        "tabular": InputSpec(("price",), tabular, "tabular"),
    }
    return TableSource(Table.from_frame(frame, tmp_path), specs, {"y": np.arange(5)}, cache=Cache(10**6))
