"""Decoding against soundfile and FFmpeg, and what awkward files do."""

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import chirp, tone
from plait.errors import DataError, EmptyValue
from plait.processors.sound import as_mp3, as_wav, read_sound, remarks, resampled, spectrogram

soundfile = pytest.importorskip("soundfile")
av = pytest.importorskip("av")
RATE = 16_000


def written(samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def encoded(samples: np.ndarray, rate: int, container: str, codec: str, start: float = 0.0) -> bytes:
    """A file as FFmpeg writes it; the sound begins `start` seconds late."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for place in range(0, len(samples), 1024):
            block = np.ascontiguousarray(samples[None, place : place + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, place + round(start * rate)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return file.getvalue()


def video(sound: bool = False, frames: int = 5) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for number in range(frames):
            image = np.full((32, 32, 3), 40 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return file.getvalue()


LOSSLESS = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16"), ("W64", "PCM_16"), ("CAF", "PCM_16")),
]


@pytest.mark.parametrize(("kind", "subtype"), LOSSLESS)
def test_lossless_files_are_what_soundfile_reads(kind: str, subtype: str) -> None:
    data = tone(0.5, kind=kind, subtype=subtype)
    expected, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    sound = read_sound(data, 60)
    assert (sound.rate, sound.seconds, sound.channels, sound.cut) == (rate, 0.5, 1, False)
    np.testing.assert_array_equal(sound.wave, expected)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_lossy_files_stay_in_place(kind: str, subtype: str) -> None:
    """Encoders begin and end some samples off; a click stays where it was."""
    samples = np.zeros(2 * RATE)
    samples[RATE : RATE + 40] = 0.8
    sound = read_sound(written(samples, kind=kind, subtype=subtype), 60)
    assert len(sound.wave) == 2 * RATE and not sound.cut
    assert abs(int(np.abs(sound.wave).argmax()) - RATE - 20) < 60


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_blocks_are_the_whole(kind: str, subtype: str) -> None:
    """A decoder that is sent somewhere between two blocks loses samples there."""
    data = written(np.random.default_rng(0).normal(size=12 * RATE) * 0.1, kind=kind, subtype=subtype)
    whole, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    sound = read_sound(data, 60)
    assert sound.rate == rate
    np.testing.assert_allclose(sound.wave, whole, atol=1e-6)


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("mov", "aac"), ("webm", "libopus"), ("adts", "aac")])
def test_what_ffmpeg_reads_stays_in_place(container: str, codec: str) -> None:
    samples = np.zeros(96_000, np.float32)
    samples[48_000:48_120] = 0.8
    sound = read_sound(encoded(samples, 48_000, container, codec), 60)
    late = 1024 if container == "adts" else 0  # a bare stream does not say that its first piece is the encoder's
    assert len(sound.wave) == pytest.approx(96_000, abs=2_500 if container == "adts" else 1_100)
    assert abs(int(np.abs(sound.wave).argmax()) - 48_060 - late) < 200


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_sound_that_starts_late_beside_images_starts_late(start: float) -> None:
    """On the clock of the file, which begins with its images."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        images = out.add_stream("mpeg4", rate=10)
        images.width = images.height = 32
        stream = out.add_stream("aac", rate=48_000)
        stream.layout = "mono"
        for number in range(20):
            for packet in images.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")):
                out.mux(packet)
            samples = np.zeros((1, 4_800), np.float32)
            samples[0, :4_800] = 0.5 * np.sin((4_800 * number + np.arange(4_800)) / 10) * (number >= 10)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, 4_800 * number + round(48_000 * start)
            for packet in stream.encode(frame):
                out.mux(packet)
        for one in (images, stream):
            for packet in one.encode(None):
                out.mux(packet)
    wave = read_sound(file.getvalue(), 60).wave
    assert int((np.abs(wave) > 0.2).argmax()) / 48_000 == pytest.approx(1.0 + start, abs=0.03)


def test_resampling_is_band_limited() -> None:
    """A tone of 1 kHz from 44,100 to 16,000 Hz is the tone at 16,000 Hz; what is above 8 kHz is gone, not folded."""
    at = {rate: np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32) for rate in (44_100, RATE)}
    away = np.abs(resampled(at[44_100], 44_100, RATE)[200:-200] - at[RATE][200:-200])
    assert away.max() < 1e-4
    high = np.sin(2 * np.pi * 12_000 * np.arange(44_100) / 44_100).astype(np.float32)
    assert np.abs(resampled(high, 44_100, RATE)[200:-200]).max() < 1e-3


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
def test_any_rate_keeps_its_seconds(rate: int) -> None:
    sound = read_sound(written(np.sin(np.arange(rate) / 40), rate), 60, RATE)
    assert sound.seconds == 1.0 and abs(len(sound.wave) - RATE) <= 1


def test_channels_become_their_mean_and_opposite_phases_are_said() -> None:
    random = np.random.default_rng(0)
    six = random.normal(size=(RATE, 6)) * 0.1
    sound = read_sound(written(six), 60)
    np.testing.assert_allclose(sound.wave, six.mean(axis=1), atol=1e-6)
    assert sound.channels == 6 and not sound.cancelled
    opposite = np.stack([six[:, 0], -six[:, 0]], axis=1)
    assert (
        read_sound(written(opposite), 60).cancelled
        and "loudest" in remarks(read_sound(written(opposite), 60), 60)["cancelled_channels"]
    )
    one_silent = np.stack([six[:, 0], np.zeros(RATE)], axis=1)
    assert not read_sound(written(one_silent), 60).cancelled


def test_nothing_to_hear_is_missing() -> None:
    for data in (tone(0.0), video()):
        with pytest.raises(EmptyValue, match="holds no sound"):
            read_sound(data, 60)
    assert len(read_sound(written(np.ones(1)), 60, 8_000).wave) == 1


def test_a_cut_file_is_said_with_what_could_be_read() -> None:
    for kind, subtype in (("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
        data = tone(4.0, kind=kind, subtype=subtype)
        sound = read_sound(data[: len(data) // 2], 60)
        assert sound.cut and 0.5 < sound.seconds < 2.2, kind
        assert not read_sound(data, 60).cut, kind
    flac = tone(3.0, kind="FLAC")
    nearly = read_sound(flac[:-2_000], 60)
    assert nearly.cut and nearly.seconds > 2.4
    with pytest.raises(DataError, match="cut off|damaged"):
        read_sound(tone(0.2, kind="FLAC")[:600], 60)


def test_a_stream_that_never_knew_its_length_is_whole() -> None:
    data = bytearray(tone(1.0))
    for unknown in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        data[4:8] = unknown
        assert not read_sound(bytes(data), 60).cut


def test_a_header_that_claims_ten_gigabytes_takes_what_is_there() -> None:
    data = bytearray(tone(1.0))
    data[4:8] = data[40:44] = (4_000_000_000).to_bytes(4, "little")
    sound = read_sound(bytes(data), 600, RATE)
    assert sound.seconds == 1.0 and sound.cut


def test_three_hours_are_read_as_far_as_asked(tmp_path: Path) -> None:
    """From the file itself: nothing of it lies in memory but what is decoded."""
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(2_000)
        for _ in range(3 * 60):
            file.writeframes(bytes([90, 166] * 60_000))
    sound = read_sound(tmp_path / "long.wav", 10, RATE)
    assert sound.seconds == 3 * 3600 and len(sound.wave) == 10 * RATE and not sound.cut
    assert remarks(sound, 10) == {"long_sound": "of 10800.0 s the first 10 are read; raise the input's seconds"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n" + 40 * b"a", "expected sound"),
        (b"no sound at all, but a text", "expected sound"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "expected sound"),
    ],
)
def test_what_is_no_sound_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sound(data, 60)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_pictures_are_no_silent_sounds(kind: str) -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, kind)
    with pytest.raises(DataError, match="expected sound") as caught:
        read_sound(file.getvalue(), 60)
    assert not isinstance(caught.value, EmptyValue)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.wav\n",
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nother.wav\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_a_file_opens_no_other_and_no_address(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.wav").write_bytes(tone(0.5))
    (tmp_path / "a.wav").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="expected sound"):
        read_sound(tmp_path / "a.wav", 60)


def test_values_that_are_no_numbers_are_named() -> None:
    with pytest.raises(DataError, match="samples that are no numbers"):
        read_sound(written(np.array([0.0, np.nan, 1.0])), 60)


@given(st.binary(max_size=300), st.integers(0, 40), st.integers(0, 255))
def test_any_bytes_are_a_sound_or_one_line(tail: bytes, place: int, byte: int) -> None:
    damaged = bytearray(CLICK[:200])
    damaged[place] = byte
    for data in (tail, bytes(damaged) + tail):
        try:
            assert np.isfinite(read_sound(data, 1.0, RATE).wave).all()
        except DataError as error:
            assert "\n" not in str(error)


CLICK = tone(0.05)


def test_what_pages_show() -> None:
    sound = read_sound(chirp(1.0), 60)
    image: Any = spectrogram(sound.wave, 160)
    assert image.size == (160, 80)
    shade = np.asarray(image.convert("L")).astype(int)
    assert shade[:, 20].argmax() > shade[:, 140].argmax(), "low frequencies below, and the chirp rises"
    again = read_sound(as_mp3(sound.wave), 60)
    assert again.seconds == pytest.approx(1.0, abs=0.08)
    assert len(as_mp3(np.zeros(1, np.float32))) > 100


def test_a_wave_file_is_the_same_at_any_time() -> None:
    samples = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    file = as_wav(samples, 8_000)
    place = file.find(b"PEAK")
    assert file[place + 12 : place + 16] == bytes(4)  # where libsndfile writes the second
    again, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    assert rate == 8_000 and np.array_equal(again, samples)
