"""Frames of videos: held against all frames as PyAV decodes them one by one, and awkward files."""

import io
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes import film, tone
from plait.errors import DataError, EmptyValue
from plait.processors import frames as module
from plait.processors.frames import Clip, Picks, read_clip, remarks

av = pytest.importorskip("av")

VARIABLE = np.cumsum([0, *np.tile([0.02, 0.3, 0.1, 0.05, 0.4], 8)])[:40].tolist()
FILES: dict[str, dict[str, Any]] = {
    "mp4": {"format": "mp4", "codec": "libx264", "pixel": "yuv420p"},
    "mp4, sound": {"format": "mp4", "codec": "libx264", "pixel": "yuv420p", "sound": True},
    "mkv": {},
    "mkv, variable rate": {"codec": "libx264", "pixel": "yuv420p", "times": VARIABLE},
    "webm": {"format": "webm", "codec": "libvpx-vp9", "pixel": "yuv420p"},
    "avi": {"format": "avi", "codec": "mpeg4", "pixel": "yuv420p"},
    "gif": {"format": "gif", "codec": "gif", "pixel": "rgb8"},
    "mpegts": {"format": "mpegts", "codec": "libx264", "pixel": "yuv420p"},
    "mpeg": {"format": "mpeg", "codec": "mpeg2video", "pixel": "yuv420p", "rate": 25},
    "10,000 fps": {"rate": 10_000, "format": "mp4", "codec": "libx264", "pixel": "yuv420p"},
}


def every_frame(data: bytes, rate: float) -> list[tuple[float, np.ndarray]]:
    """Seconds and pixels of all frames, decoded from the start."""
    with av.open(io.BytesIO(data)) as container:
        start = max(0, container.start_time or 0) / 1e6
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    if any(time is None for time, _ in frames) or "avi" in repr(data[:16]) or data[:4] == b"RIFF":
        return [(place / rate, pixels) for place, (_, pixels) in enumerate(frames)]
    return [(max(0.0, time - start), pixels) for time, pixels in frames]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("picks", [Picks(1), Picks(7), Picks(9, exact=True), Picks(1000, fps=10.0)], ids=str)
def test_the_frames_are_those_on_the_screen_at_their_time(name: str, picks: Picks) -> None:
    options = FILES[name]
    data = film(40, size=32, **options)
    clip, whole = read_clip(data, picks), every_frame(data, options.get("rate", 10))
    assert len(clip.frames) == len(clip.where) and not clip.cut and clip.heard == bool(options.get("sound"))
    for pixels, (start, end) in zip(clip.frames, clip.where, strict=True):
        shown = [image for time, image in whole if time <= (start + end) / 2 + 1e-3 * (end - start)]
        if picks.exact or len(clip.frames) > 1:
            candidates = [image for time, image in whole if start - 1e-6 <= time <= end + 1e-6] + shown[-1:]
            assert any(np.array_equal(pixels, image) for image in candidates)
        if picks.exact:
            assert np.array_equal(pixels, shown[-1])
    assert clip.where[0, 0] == 0 and clip.where[-1, 1] == pytest.approx(clip.seconds)
    assert (clip.where[1:, 0] == clip.where[:-1, 1]).all()
    if picks.exact:
        assert len(clip.frames) == 9


def test_a_frame_that_stays_comes_once_and_stands_for_its_time() -> None:
    clip = read_clip(film(3, times=[0.0, 0.9, 1.0]), Picks(10))
    assert clip.where.round(2).tolist()[0] == [0.0, pytest.approx(0.8, abs=0.15)] and len(clip.frames) <= 3
    one = read_clip(film(1), Picks(16))
    assert len(one.frames) == 1 and one.count == 1 and one.where[0].tolist() == [0.0, pytest.approx(one.seconds)]


def test_lists_are_in_order_and_have_the_rate_that_is_said(tmp_path: Path) -> None:
    for place in range(4):
        Image.new("RGB", (6, 4), (50 * place, 0, 0)).save(tmp_path / f"{place}.png")
    files = tuple(tmp_path / f"{place}.png" for place in (2, 0, 1, 3))
    clip = read_clip(files, Picks(8, rate=2.0))
    assert [int(frame[0, 0, 0]) for frame in clip.frames] == [100, 0, 50, 150] and clip.seconds == 2.0
    assert clip.where.tolist() == [[0.0, 0.5], [0.5, 1.0], [1.0, 1.5], [1.5, 2.0]]


def test_transparent_is_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    picture.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGBA", (8, 8), (0, 0, 255, 255))])
    first = read_clip(tmp_path / "a.gif", Picks(2)).frames[0]
    assert (first == 255).all()


def test_a_rotated_video_stands_upright() -> None:
    data = bytearray(film(4, format="mp4", codec="libx264", pixel="yuv420p", size=32))
    plain = read_clip(bytes(data), Picks(1)).frames[0]
    matrix = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    place = data.index(matrix, data.index(b"tkhd"))
    quarter = (0, 1 << 16, 0, (1 << 32) - (1 << 16), 0, 0, 32 << 16, 0, 1 << 30)  # clockwise, as phones write it
    data[place : place + 36] = b"".join(n.to_bytes(4, "big") for n in quarter)
    turned = read_clip(bytes(data), Picks(1)).frames[0]
    assert np.array_equal(turned, np.rot90(plain, -1)) and not np.array_equal(turned, plain)


def test_cut_files_are_said_and_what_is_there_counts() -> None:
    whole = film(400, codec="libx264", pixel="yuv420p", size=64)
    half = read_clip(whole[: len(whole) * 6 // 10], Picks(8))
    assert half.cut and half.seconds < 0.9 * read_clip(whole, Picks(8)).seconds and half.frames
    cut = film(100, format="mp4", codec="libx264", pixel="yuv420p", size=64)
    with pytest.raises(DataError, match="another kind or a damaged one|cut off or damaged"):
        read_clip(cut[: len(cut) // 2], Picks(8))


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"", DataError, "got an empty file"),
        (b"no video at all, only words", DataError, "expected a video, got a file of another kind"),
        (tone(0.2), DataError, "expected a video, got a file of another kind"),
    ],
)
def test_what_is_no_video_is_one_line(data: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        read_clip(data, Picks())


def test_sound_alone_holds_no_images() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        piece = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        piece.sample_rate, piece.pts = 16_000, 0
        for packet in [*stream.encode(piece), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(EmptyValue, match="holds no images"):
        read_clip(buffer.getvalue(), Picks())


def test_no_file_opens_another(tmp_path: Path) -> None:
    (tmp_path / "secret.mkv").write_bytes(film(3))
    for text in (
        f"ffconcat version 1.0\nfile {tmp_path}/secret.mkv\n",
        f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.mkv\n",
    ):
        with pytest.raises(DataError, match="expected a video, got a file of another kind"):
            read_clip(text.encode(), Picks())


def test_large_frames_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    with pytest.raises(DataError, match="frames of 16 x 16 pixels are more than the allowed 100"):
        read_clip(film(2), Picks())


def test_memory_stays_flat_over_many_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(film(8, format="mp4", codec="libx264", pixel="yuv420p", size=128, sound=True))
    for _ in range(100):
        read_clip(path, Picks(4))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(900):
        read_clip(path, Picks(4))
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
    )  # kilobytes; a leak of a frame is 3 each


def test_a_byte_that_is_wrong_is_one_line_or_a_clip() -> None:
    data = film(12, codec="libx264", pixel="yuv420p")
    random = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 3):
            broken[place] = int(random.integers(256))
        try:
            assert isinstance(read_clip(bytes(broken), Picks(4)), Clip)
        except DataError as error:
            assert "\n" not in str(error)


def test_a_cover_beside_music_is_no_video() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        sound, cover = container.add_stream("aac", rate=16_000), container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 16
        cover.pix_fmt, cover.disposition = "yuvj420p", av.stream.Disposition.attached_pic
        piece = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        piece.sample_rate, piece.pts = 16_000, 0
        image = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        image.pts = 0
        for packet in [*cover.encode(image), *cover.encode(), *sound.encode(piece), *sound.encode()]:
            container.mux(packet)
    with pytest.raises(EmptyValue, match="holds no images"):
        read_clip(buffer.getvalue(), Picks())


def test_what_is_not_read_of_a_long_video_is_said() -> None:
    clip = read_clip(film(100), Picks(4, seconds=3.0))
    assert clip.longer and clip.seconds == 3.0 and clip.where[-1, 1] == 3.0
    assert "the first 3 s are read" in remarks(clip)["long_video"] and not remarks(read_clip(film(9), Picks(4)))


def test_a_clock_that_starts_late_is_no_cut() -> None:
    late = read_clip(film(20, codec="libx264", pixel="yuv420p", times=[5 + n / 10 for n in range(20)]), Picks(20))
    assert not late.cut and late.seconds == pytest.approx(2.0, abs=0.11) and late.where[0, 0] == 0
