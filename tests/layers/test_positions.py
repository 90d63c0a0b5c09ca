"""Sinusoids of the paper."""

import numpy as np
import pytest

from plait.layers import sinusoidal_positions


def test_sinusoids_are_the_papers() -> None:
    positions = sinusoidal_positions(7, 6).numpy()
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert positions[position, pair] == pytest.approx(np.sin(angle), abs=1e-6)
            assert positions[position, 3 + pair] == pytest.approx(np.cos(angle), abs=1e-6)
    with pytest.raises(ValueError, match="even"):
        sinusoidal_positions(3, 5)
