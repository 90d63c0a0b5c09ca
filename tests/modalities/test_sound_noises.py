"""Sounds made worse: by how much, checked on what comes out."""

import io

import numpy as np
import pytest

from fakes import chirp, tone
from plait.modalities.sound_noises import clipped, low_passed, with_dropouts, with_white_noise

soundfile = pytest.importorskip("soundfile")


def wave(data: bytes) -> np.ndarray:
    samples: np.ndarray = soundfile.read(io.BytesIO(data))[0]
    return samples


def test_noise_has_the_ratio_it_says() -> None:
    clean = wave(chirp(2.0))
    for ratio in (20, 0):
        noise = wave(with_white_noise(chirp(2.0), ratio, np.random.default_rng(0))) - clean
        assert 10 * np.log10((clean**2).mean() / (noise**2).mean()) == pytest.approx(ratio, abs=0.3)


def test_high_frequencies_go_and_low_ones_stay() -> None:
    for hertz, kept in ((400, True), (3_000, False)):
        clean, worse = wave(tone(1.0, hertz)), wave(low_passed(tone(1.0, hertz), 1_000))
        middle = slice(2_000, -2_000)
        assert len(worse) == len(clean) and ((worse[middle] ** 2).mean() > 0.5 * (clean[middle] ** 2).mean()) == kept


def test_clipping_keeps_the_peak_and_flattens_the_rest() -> None:
    clean, worse = wave(chirp()), wave(clipped(chirp(), 0.1))
    assert np.abs(worse).max() == pytest.approx(np.abs(clean).max(), rel=1e-3)
    assert (np.abs(worse) > 0.99 * np.abs(worse).max()).mean() > 0.8


def test_dropouts_silence_their_share() -> None:
    worse = wave(with_dropouts(chirp(20.0), 0.25, np.random.default_rng(0)))
    assert (worse == 0).mean() == pytest.approx(0.25, abs=0.06)
    more = wave(with_dropouts(chirp(20.0), 0.5, np.random.default_rng(0)))
    assert not more[worse == 0].any(), "a stronger one silences the same and more"
