"""A table of captions, and models that learn to write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fakes import colour_table
from plait.predictor import Predictor

TRAIN = {"epochs": 30, "batch_size": 16, "learning_rate": 0.005, "precision": "float32", "device": "cpu"}


def caption_table(folder: Path, rows: int = 60) -> Path:
    """`photo,title,caption`: the caption names the colour of the photo and what the title says."""
    path = colour_table(folder, rows)
    frame = pd.read_csv(path)
    said = frame["title"].str.extract(r"of a (\w+) thing")[0]
    pairs = zip(shown_in(frame), said, strict=True)
    frame["caption"] = [f"A {shown} photo, called {word}." for shown, word in pairs]
    frame[["photo", "title", "caption"]].to_csv(folder / "captions.csv", index=False)
    return folder / "captions.csv"


def shown_in(frame: pd.DataFrame) -> list[str]:
    """The colours of the photos: yes means that it is the title's."""
    random = np.random.default_rng(0)
    names = ["red", "green", "blue"]
    found = []
    for _ in range(len(frame)):
        found.append(names[random.integers(3)])
        random.integers(3)
        random.normal(10, 3)
    return found


def written(table: Any, output: Path, decoder: str = "transformer", **more: Any) -> Predictor:
    options = {"transformer": {"dim": 32, "layers": 1, "heads": 2, "dropout": 0.0}, "rnn": {"dim": 96, "dropout": 0.0}}
    sections = {"task": {"type": "generation", "max_length": 24}, "train": TRAIN, **more}
    return Predictor(
        "caption",
        output=output,
        decoder={"method": decoder, "vocab_size": 320, **options[decoder]},
        generation={"max_length": 24},
        fusion={"dim": 32},
        inputs={
            "photo": {"modality": "image", "encoder": "scratch:cnn"},
            "title": {"modality": "text", "encoder": "scratch:bag"},
        },
        verbose=False,
        **sections,
    ).fit(table)
