"""What is seeded for a run is given back."""

import random

import numpy as np
import torch

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
