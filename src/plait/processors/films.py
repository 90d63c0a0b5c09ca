"""Frames → video files: without loss, or small ones that a page plays."""

import contextlib
import io
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plait.errors import DataError, import_extra
from plait.processors.frames import Frame, Picks, read_clip
from plait.processors.sound import read_sound

FILM_RATE = 10  # frames a second of what a page plays


def as_video(frames: np.ndarray, rate: float) -> bytes:
    """`[T, H, W, 3]` uint8 as a video file without loss (FFV1 in Matroska).

    Raises:
        MissingExtra: `plait[video]` is not installed.
    """
    av = import_extra("av", "video")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for pixels in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file.getvalue()


def as_film(value: Path | str | bytes | tuple[Any, ...], seconds: float, side: int = 240) -> bytes:
    """The beginning of a video, small, with its sound, as browsers play it (VP8 and Opus in WebM).

    Args:
        value: as of `read_clip`.
        seconds: from its start.
        side: pixels of the longer side.

    Raises:
        DataError: it can't be decoded.
        MissingExtra: `plait[video]` is not installed.
    """
    av = import_extra("av", "video")
    picks = Picks(frames=round(seconds * FILM_RATE), fps=FILM_RATE, seconds=seconds, rate=4.0, exact=True)
    clip = read_clip(value, picks, partial(_small, side=side))
    sound = None
    if clip.heard and not isinstance(value, tuple):
        with contextlib.suppress(DataError):  # a film without its sound is better than none
            sound = read_sound(value, seconds, 48_000)
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=FILM_RATE, options={"deadline": "realtime", "crf": "20"})
        stream.height, stream.width = clip.frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 300_000
        heard = None
        if sound is not None:
            heard = container.add_stream("libopus", rate=48_000)
            heard.layout, heard.bit_rate = "mono", 32_000
        for pixels in clip.frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if heard is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound.wave[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, 0
            for packet in [*heard.encode(frame), *heard.encode()]:
                container.mux(packet)
    return file.getvalue()


def _small(frame: Frame, side: int) -> Frame:
    """At most `side` pixels a side, and even numbers of them, as the codec wants."""
    from PIL import Image

    scale = min(1.0, side / max(frame.shape[:2]))
    size = [max(2, round(length * scale / 2) * 2) for length in (frame.shape[1], frame.shape[0])]
    return np.asarray(Image.fromarray(frame).resize((size[0], size[1])))
