"""Columns of sounds: recognised among other files, arrays with a rate, what a check says."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fakes import chirp, tone
from plait import Predictor
from plait.checks.health import check
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError
from plait.modalities import AUDIO, Media, Opened
from plait.modalities.audio import store

soundfile = pytest.importorskip("soundfile")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "PNG")
    return file.getvalue()


def webp() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "WEBP")
    return file.getvalue()


@pytest.mark.parametrize(
    ("cells", "modality"),
    [
        (["a.wav", "b.MP3", "c/d.flac"], "audio"),
        (["a.ogg;b.ogg", "c.opus"], "audio"),
        ([tone(0.1), tone(0.2)], "audio"),
        ([tone(0.1, kind="OGG", subtype="VORBIS"), tone(0.1, kind="MP3", subtype="MPEG_LAYER_III")], "audio"),
        ([{"bytes": tone(0.1), "path": None}, {"bytes": None, "path": "x.wav"}], "audio"),
        ([{"bytes": png(), "path": "x.png"}, {"bytes": None, "path": "y.jpg"}], "image"),
        ([webp(), png()], "image"),
        (["a.wav", "b.png", "c.wav"], None),
    ],
)
def test_files_are_told_apart(cells: list[Any], modality: str | None) -> None:
    frame = pd.DataFrame({"x": pd.Series([*cells, *cells], dtype=object)})
    column = infer_schema(Table.from_frame(frame))["x"]
    assert column.modality == modality or (modality is None and column.modality not in ("audio", "image"))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("first", [False, True])
def test_arrays_with_a_rate_are_sound_whichever_way_they_lie(channels: int, first: bool) -> None:
    """Samples by channels, or channels by samples: the longer side is time."""
    wave = np.random.default_rng(0).normal(size=(800, channels)).astype(np.float32) * 0.1
    array = wave[:, 0] if channels == 1 and not first else (wave.T if first else wave)
    for cell in (
        {"array": array, "sampling_rate": 8_000},
        (array, 8_000),
        (8_000, array),
        SimpleNamespace(get_all_samples=lambda: SimpleNamespace(data=array, sample_rate=8_000)),
    ):
        assert AUDIO.takes(cell)
        samples, rate = soundfile.read(io.BytesIO(store("x", 1, cell)), always_2d=True)
        assert rate == 8_000
        np.testing.assert_allclose(samples, wave, atol=1e-7)
    table = Table.from_frame(pd.DataFrame({"x": [{"array": array, "sampling_rate": 8_000}, None]}))
    assert infer_schema(table, {"x": "audio"})["x"].missing == 1 and isinstance(table.cells("x", [0])[0], bytes)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"array": np.zeros(9), "sampling_rate": None}, "row 1, column 'x': expected a rate"),
        ({"array": np.zeros(9, np.uint8), "sampling_rate": 8_000}, "expected samples of floats"),
        ({"array": np.zeros((3, 3)), "sampling_rate": 8_000}, "got an array of 3×3"),
        ({"array": np.zeros((300, 200)), "sampling_rate": 8_000}, "got an array of 300×200"),
        ({"array": np.zeros((2, 3, 4)), "sampling_rate": 8_000}, "got an array of 2×3×4"),
    ],
)
def test_arrays_that_can_be_no_sound_are_named(cell: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        store("x", 1, cell)


def test_integers_keep_their_scale() -> None:
    samples = soundfile.read(io.BytesIO(store("x", 1, (np.array([16_384, -32_768], np.int16), 8_000))))[0]
    assert samples.tolist() == [0.5, -1.0]


def table_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    rows = [(name, "ab"[n % 2]) for n, name in enumerate(files)]
    pd.DataFrame(rows, columns=["sound", "label"]).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def test_a_check_names_what_is_odd_and_what_is_broken(tmp_path: Path) -> None:
    whole = tone(2.0)
    stereo = io.BytesIO()
    wave = np.sin(np.arange(8_000) / 5)
    soundfile.write(stereo, np.stack([wave, -wave], 1), 8_000, format="WAV")
    files = {f"{n}.wav": tone(0.3, 200 + 90 * n) for n in range(8)}
    files |= {"cut.wav": whole[:20_000], "opposite.wav": stereo.getvalue(), "empty.wav": tone(0.0), "bad.wav": b"noise"}
    table = open_table(table_of(tmp_path, files))
    rows = np.arange(len(table))
    health = check({"train": (table, rows)}, infer_schema(table, roles={"label": "the target"}), ["label"])
    found = {one.kind: one for one in health.findings}
    assert found["unusable_sound"].level == "error" and "bad.wav" in found["unusable_sound"].examples[0]
    assert "0.6 s" in found["cut_sound"].examples[0] and found["cut_sound"].level == "warning"
    assert "loudest" in found["cancelled_channels"].message
    assert found["empty_audio"].level == "warning" and "count as missing" in found["empty_audio"].message


def test_long_sounds_are_said() -> None:
    odd = AUDIO.look(Opened(tone(61.0, rate=2_000))).odd
    assert odd is not None and odd.kind == "long_sound" and odd.detail == "61 s"


def test_a_fingerprint_survives_recompression_and_tells_sounds_apart() -> None:
    def bits(data: bytes) -> int:
        return AUDIO.look(Opened(data)).fingerprint or 0

    wave = soundfile.read(io.BytesIO(chirp(2.0)))[0]
    file = io.BytesIO()
    soundfile.write(file, 0.4 * wave, 16_000, format="OGG", subtype="VORBIS")
    same, other = bits(file.getvalue()), bits(with_steps())
    assert (bits(chirp(2.0)) ^ same).bit_count() <= 6 < (bits(chirp(2.0)) ^ other).bit_count()
    assert bits(tone(1.0, 440.0)) != bits(chirp(1.0))


def with_steps() -> bytes:
    file = io.BytesIO()
    parts = [np.sin(np.arange(8_000) * hertz / 2_546) for hertz in (3_000, 300, 5_000, 800)]
    soundfile.write(file, np.concatenate(parts), 16_000, format="WAV")
    return file.getvalue()


def test_a_row_whose_sound_is_empty_is_a_row_without_it(tmp_path: Path) -> None:
    """In training and prediction, frozen or not: no error, and the answer of a row whose cell is empty."""
    files = {f"{n}.wav": tone(0.3, 300 if n % 2 else 3_000) for n in range(40)} | {"empty.wav": tone(0.0)}
    for encoder in ("scratch:audio_cnn", "fixed:audio_statistics"):
        run = tmp_path / encoder.replace(":", "_")
        predictor = Predictor(
            "label",
            output=run,
            inputs={"sound": {"modality": "audio", "encoder": encoder}},
            train={"epochs": 1, "device": "cpu", "precision": "float32"},
            verbose=False,
        ).fit(table_of(tmp_path, files))
        frame = pd.DataFrame({"sound": [str(tmp_path / "empty.wav"), None, str(tmp_path / "1.wav")]})
        chances = np.asarray(predictor.predict_proba(frame))
        np.testing.assert_allclose(chances[0], chances[1], rtol=1e-5)


def test_large_files_are_left_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plait.modalities import media

    (tmp_path / "a.wav").write_bytes(tone(0.5))
    small = AUDIO.open("a.wav", Media(tmp_path))
    monkeypatch.setattr(media, "IN_MEMORY", 100)
    large = AUDIO.open("a.wav", Media(tmp_path))
    assert isinstance(small.content, bytes) and isinstance(large.content, Path) and large.name == "a.wav"
    assert AUDIO.key(small) == AUDIO.key(large) and AUDIO.look(small) == AUDIO.look(large)
    with pytest.raises(DataError, match="leaves the table's folder"):
        AUDIO.open("../a.wav", Media(tmp_path))
