"""What several rooms share: a table of colours, a folder with links that lead out, a tiny retrieval run over squares."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image

from fakes import colour_table
from plait.predictor import Predictor

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; tests press Ctrl-C themselves
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The first example may load a library, and a shared machine is slow now and then; the same examples every time.
settings.register_profile("plait", deadline=None, derandomize=True)
settings.load_profile("plait")

COLOURS = {"red": (250, 20, 20), "green": (20, 240, 20), "blue": (20, 20, 250), "grey": (120, 120, 120)}


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of colours of 150 rows; where another is needed, a file's own fixture of this name stands in its place."""
    return colour_table(tmp_path_factory.mktemp("colours"), rows=150)


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`squares.csv` with photo, title, price, kind; `pairs`, a run that has learned what is red."""
    pytest.importorskip("lancedb")
    folder = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(0)
    rows = []
    for number in range(64):
        colour = list(COLOURS)[number % 4]
        pixels = np.clip(np.array(COLOURS[colour]) + random.integers(-20, 20, (24, 24, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        kind = "big" if number >= 32 else "small"
        rows.append((f"{number}.png", f"a {colour} square", f"from shop {number}", number / 2, kind))
    frame = pd.DataFrame(rows, columns=["photo", "title", "note", "price", "kind"])
    frame.to_csv(folder / "squares.csv", index=False)
    Predictor(
        task={"type": "retrieval"},
        output=folder / "pairs",
        inputs={
            "photo": {"modality": "image", "encoder": "scratch:cnn"},
            "title": {"modality": "text", "encoder": "scratch:bag"},
        },
        fusion={"method": "shared_space", "dim": 16, "hidden": 0},
        data={"val": "none"},
        train={"epochs": 25, "batch_size": 32, "learning_rate": 0.01, "precision": "float32", "device": "cpu"},
        verbose=False,
    ).fit(folder / "squares.csv")
    yield folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table's folder with an image, links that lead out, and a private image beside it."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "private.png")
    inside = tmp_path / "table"
    inside.mkdir()
    Image.new("RGB", (8, 8), "blue").save(inside / "a.png")
    (inside / "link.png").symlink_to(tmp_path / "private.png")
    (inside / "loop.png").symlink_to(inside / "loop.png")
    return inside
