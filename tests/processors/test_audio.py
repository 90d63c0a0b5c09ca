"""The processor of sounds: its own length, its rate, its warnings."""

import warnings

import numpy as np
import pytest

from fakes import tone
from plait.errors import DataWarning, EmptyValue
from plait.processors import AudioProcessor
from plait.processors import sound as sounds


def test_each_sound_keeps_its_length() -> None:
    processor = AudioProcessor()
    batch = processor.collate([processor(tone(seconds)) for seconds in (0.5, 2.0, 0.25)])
    assert batch["length"].tolist() == [8_000, 32_000, 4_000] and batch["wave"].shape == (3, 32_000)
    assert not batch["wave"][2, 4_000:].any()


def test_a_long_sound_is_read_so_far_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "_said", set())
    processor = AudioProcessor(seconds=1.0)
    with pytest.warns(DataWarning, match=r"of 5\.0 s the first 1 are read; raise the input's seconds"):
        assert len(processor(tone(5.0))["wave"]) == 16_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert len(processor(tone(5.0))["wave"]) == 16_000


def test_the_loudest_channel_where_the_mean_is_silence() -> None:
    soundfile = pytest.importorskip("soundfile")
    import io

    wave = 0.5 * np.sin(np.arange(16_000) / 5)
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave, -wave], axis=1), 16_000, format="WAV", subtype="FLOAT")
    assert np.abs(AudioProcessor()(file.getvalue())["wave"]).max() < 1e-6
    np.testing.assert_allclose(AudioProcessor(channel="loudest")(file.getvalue())["wave"], wave, atol=1e-6)


def test_nothing_in_it_is_missing_and_no_error() -> None:
    with pytest.raises(EmptyValue, match="holds no sound"):
        AudioProcessor()(tone(0.0))
