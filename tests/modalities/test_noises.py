"""Noise against Pillow, numpy and counts."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from fakes import chirp, film, picture
from plait.evaluation.noise import NoisyProcessor
from plait.modalities import noises
from plait.modalities.noises import blurred, jpeg, with_fewer_words, with_noise, with_typos
from plait.processors import (
    AudioProcessor,
    ImageProcessor,
    SeriesProcessor,
    TabularProcessor,
    TextProcessor,
    VideoProcessor,
)
from plait.processors.series_cells import as_bytes

NOISES = {name: (owner, noise) for name, owner, noise in noises()}
TEXT = "the quick brown fox jumps over the lazy dog " * 40


def test_pictures_as_pillow_makes_them(tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png", "red", size=(60, 40))
    clean = Image.open(file).convert("RGB")
    expected = np.asarray(clean.filter(ImageFilter.GaussianBlur(2.0)))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(blurred(file, 0.05)))), expected)
    buffer = io.BytesIO()
    clean.save(buffer, "JPEG", quality=20)
    assert jpeg(file.read_bytes(), 20) == buffer.getvalue()


def test_typos_hit_their_share_of_letters_and_nothing_else() -> None:
    random = np.random.default_rng
    assert with_typos(TEXT, 0.0, random(0)) == TEXT
    words = "a-1 " * 2000
    hit = with_typos(words, 0.3, random(1))
    assert hit.count("-1 ") + hit.count("-a") >= 1990  # digits and dashes stay, a swap moves a dash
    untouched = sum(part == "a-1" for part in hit.split())
    assert untouched / 2000 == pytest.approx(0.7 + 0.3 / 4, abs=0.04)  # replaced by another `a` in a quarter
    assert "".join(sorted(with_typos("1234 ..", 1.0, random(0)))) == "".join(sorted("1234 .."))


def test_words_are_dropped_by_their_share_in_order() -> None:
    words = [f"w{n}" for n in range(4000)]
    kept = with_fewer_words(" ".join(words), 0.25, np.random.default_rng(0)).split()
    assert len(kept) / 4000 == pytest.approx(0.75, abs=0.03)
    assert kept == [word for word in words if word in set(kept)]
    assert len(with_fewer_words("a b c", 1.0, np.random.default_rng(0)).split()) == 1


@given(st.text(max_size=80), st.floats(0, 1), st.integers(0, 99))
def test_any_text_can_be_made_worse(text: str, share: float, seed: int) -> None:
    worse = with_typos(text, share, np.random.default_rng(seed))
    assert worse == with_typos(text, share, np.random.default_rng(seed))
    assert set(worse) <= set(text)
    dropped = with_fewer_words(text, share, np.random.default_rng(seed))
    assert bool(dropped.split()) == bool(text.split())


def test_numbers_get_noise_of_their_column() -> None:
    random = np.random.default_rng(0)
    rows = [with_noise({"a": "5", "b": None, "c": "x"}, {"a": 2.0, "b": 1.0}, random) for _ in range(4000)]
    values = np.array([row["a"] for row in rows])
    assert values.mean() == pytest.approx(5, abs=0.12) and values.std() == pytest.approx(2, rel=0.04)
    assert np.isnan([row["b"] for row in rows]).all() and rows[0]["c"] == "x"


@pytest.mark.parametrize("name", NOISES)
def test_every_noise_changes_what_the_encoder_reads_the_more_the_stronger(name: str, tmp_path: Path) -> None:
    owner, noise = NOISES[name]
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    prices = TabularProcessor.fit({"price": [0.0, 9.0]}, numbers=["price"], dates=[], categories=[])
    steps = as_bytes(random.normal(size=(200, 6)).cumsum(axis=0))
    processor, value = {
        "image": (ImageProcessor(64), tmp_path / "a.png"),
        "text": (TextProcessor.train([TEXT], vocab_size=400, max_length=10_000), TEXT),
        "tabular": (prices, {"price": 3.0}),
        "audio": (AudioProcessor(), chirp(1.0)),
        "series": (SeriesProcessor.fit([steps]), steps),
        "video": (VideoProcessor({"size": 32}, frames=40), film(40, size=32)),
    }[owner]
    clean = next(iter(processor(value).values())).astype(float)

    def distance(level: float) -> float:
        worse = next(iter(NoisyProcessor(processor, noise, level)(value).values())).astype(float)
        if len(worse) < len(clean) and owner == "video":
            return float(len(clean) - len(worse))
        if owner != "text":
            return float(np.abs(worse - clean).mean())
        return 1 - len(set(worse) & set(clean)) / len(set(worse) | set(clean)) + abs(len(worse) - len(clean)) / 1e4

    distances = [distance(level) for level in noise.levels]
    if name in ("time_shift", "video_shift"):  # how far apart a sound and its later self are depends on the sound
        assert min(distances) > 0
        return
    assert distances[0] > 0 and distances == sorted(distances)
