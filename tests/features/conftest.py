"""A table of images and texts."""

from pathlib import Path

import pandas as pd
import pytest

from fakes import picture
from plait.data.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    colours = ["red", "green", "blue", "red"]
    for number, colour in enumerate(colours[:3]):
        picture(tmp_path / f"{number}.png", colour, (16, 16), seed=number)
    frame = pd.DataFrame(
        {
            "photo": ["0.png", "1.png;2.png", None, "0.png"],
            "title": ["a red bird", "a blue fish swam", None, "a red bird"],
        }
    )
    return Table.from_frame(frame, root=tmp_path)
