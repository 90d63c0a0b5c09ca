"""What is seeded for a run is given back."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plait import Predictor
from plait.training.randomness import own_randomness


def test_all_three_generators_go_on_as_if_nothing_had_been_drawn() -> None:
    def draw() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def seed(number: int) -> None:
        random.seed(number), np.random.seed(number), torch.manual_seed(number)

    seed(3)
    draw()
    expected = draw()
    seed(3)
    draw()
    with own_randomness():
        seed(99)
        draw()
    assert draw() == expected


def test_fit_and_load_leave_random_numbers_as_they_were(tmp_path: Path) -> None:
    import random

    def drawn() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def seed() -> None:
        random.seed(5), np.random.seed(5), torch.manual_seed(5)

    frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    seed()
    expected = drawn()
    seed()
    Predictor("big", output=tmp_path / "run", train={"epochs": 1, "device": "cpu"}, verbose=False).fit(frame)
    Predictor.load(tmp_path / "run").predict(frame)
    assert drawn() == expected
