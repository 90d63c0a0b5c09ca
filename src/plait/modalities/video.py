"""Videos: files, bytes, and lists or folders of frames in order."""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.errors import DataError
from plait.modalities import image
from plait.modalities.fingerprints import image_fingerprint
from plait.modalities.media import (
    Media,
    Opened,
    are_media,
    content_key,
    file_key,
    open_long_file,
    resolve_media,
    split_cell,
)
from plait.modalities.modality import Facts, Modality, Oddity, Shown, key_of
from plait.modalities.noises import Noise
from plait.modalities.sample import Sample
from plait.modalities.video_noises import blurred, frozen, out_of_step, without_frames

SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".3g2", ".ogv", ".asf"),
    )
)
STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"0&\xb2u\x8ef\xcf\x11")
NO_VIDEO = (b"M4A", b"M4B", b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")  # kinds of MP4 that are none
MOST = 64_000_000_000  # bytes of a file, which is read bit by bit
MOST_FRAMES = 100_000  # of a folder or list
STILLS = 4  # that a person sees of a video
PLAYED = 10.0  # seconds that a page plays
FASTEST = 1_000.0  # frames a second above which a clock is odd
# Two black frames of 16 x 16 pixels, half a second each (Flash video, the shortest).
TINY_FLV = (
    "RkxWAQEAAAAJAAAAABIAALgAAAAAAAAAAgAKb25NZXRhRGF0YQgAAAAIAAhkdXJhdGlvbgA/8AAAAAAAAAAFd2lkdGgAQDAAAAAAAAAABmhl"
    "aWdodABAMAAAAAAAAAANdmlkZW9kYXRhcmF0ZQAAAAAAAAAAAAAJZnJhbWVyYXRlAEAAAAAAAAAAAAx2aWRlb2NvZGVjaWQAQAAAAAAAAAAA"
    "B2VuY29kZXICAA1MYXZmNjIuMTIuMTAyAAhmaWxlc2l6ZQBAcKAAAAAAAAAACQAAAMMJAAAPAAAAAAAAABIAAIQACAgRJiAgICH//gAAABoJ"
    "AAAJAAH0AAAAACIAAIQ8CAgxIAAAABQ="
)


@dataclass(frozen=True)
class FrameList:
    """Images of a cell that are the frames of one video, in order: paths or bytes."""

    frames: tuple[str | bytes, ...]

    def __str__(self) -> str:
        return f"{len(self.frames)} frames"


def recognise(sample: Sample) -> str | None:
    """Nine of ten cells name video files, or are videos."""
    if not are_media(sample.values, SUFFIXES, is_video):
        return None
    return "its cells name video files" if isinstance(sample.values[0], str) else "its cells are videos"


def is_video(data: bytes) -> bool:
    """By how a file begins."""
    if data[:4] == b"RIFF":
        return data[8:12] == b"AVI "
    if data[4:8] == b"ftyp":
        return not data[8:12].startswith(NO_VIDEO)
    return data.startswith(STARTS)


def takes(cell: Any) -> bool:
    """Arrays `[frames, height, width, 3]` of uint8, tensors too; decoders of torchcodec and torchvision."""
    if type(cell).__name__ in ("ndarray", "Tensor"):
        return cell.ndim == 4 and str(cell.dtype).endswith("uint8") and 3 in (cell.shape[3], cell.shape[1])
    return hasattr(cell, "get_frames_in_range") or hasattr(cell, "get_frames_at")


def store(column: str, row: int, value: Any) -> bytes:
    """An array of frames as the bytes of a video without loss (FFV1), a frame a second: it has no clock of its own.

    Args:
        column, row: of the cell, for the message.
        value: uint8 `[T, H, W, 3]` or `[T, 3, H, W]`, or a decoder of torchcodec, whose times are kept.

    Raises:
        DataError: there is no frame.
        MissingExtra: `plait[video]` is not installed.
    """
    import numpy as np

    from plait.processors.films import as_video

    rate = 1.0
    if not hasattr(value, "ndim"):
        rate = float(value.metadata.average_fps or 1.0)
        value = value.get_frames_in_range(0, len(value)).data
    frames = np.asarray(value)
    if frames.shape[3] != 3:
        frames = frames.transpose(0, 2, 3, 1)
    if 0 in frames.shape:
        raise DataError(f"row {row}, column {column!r}: the video has no frame")
    return as_video(frames, rate)


def read(column: str, cell: Any, form: Any = None) -> None:
    """Nothing: any cell may hold videos, and whether it does shows when they are opened."""


def pieces(cell: Any) -> Sequence[Any]:
    """The videos of a cell. A list of images, or images in one text, are the frames of one video, in their order."""
    parts = split_cell(cell)
    several = isinstance(cell, list | tuple) or len(parts) > 1
    if several and parts and all(_is_frame(part) for part in parts):
        return [FrameList(tuple(parts))]
    return parts


def _is_frame(part: Any) -> bool:
    if isinstance(part, bytes):
        return image.is_image(part[:32]) and not is_video(part[:32])
    return isinstance(part, str) and Path(part).suffix.lower() in image.SUFFIXES - {".gif"}


def open_video(piece: Any, media: Media) -> Opened:
    """The bytes of a video's file, of a large one its path; of frames, or of a folder of them, a tuple of images."""
    if isinstance(piece, FrameList):
        if len(piece.frames) > MOST_FRAMES:
            raise DataError(f"{len(piece.frames):,} frames are more than {MOST_FRAMES:,}")
        first = piece.frames[0]
        content = tuple(one if isinstance(one, bytes) else _image(one, media) for one in piece.frames)
        return Opened(content, f"{first}, …" if isinstance(first, str) else "")
    if isinstance(piece, str):
        path = resolve_media(media.root, piece, media.allow_outside)
        if path.is_dir():
            return Opened(_folder(piece, path, media), piece)
    return open_long_file(piece, media, MOST)


def _image(name: str, media: Media) -> Path:
    path = resolve_media(media.root, name, media.allow_outside)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    return path


def _folder(name: str, path: Path, media: Media) -> tuple[Path, ...]:
    """The images of a folder in the order of the numbers in their names."""
    try:
        names = [one.name for one in path.iterdir() if one.suffix.lower() in image.SUFFIXES]
    except OSError as error:
        raise DataError(f"{path}: the folder can't be read ({error.strerror or error})") from error
    if not names:
        raise DataError(f"{path}: expected a video or a folder of images, found none in it")
    if len(names) > MOST_FRAMES:
        raise DataError(f"{path}: {len(names):,} frames are more than {MOST_FRAMES:,}")
    return tuple(_image(f"{name.rstrip('/')}/{one}", media) for one in sorted(names, key=_natural))


def _natural(name: str) -> list[tuple[int, int | str]]:
    """`f2.png` before `f10.png`."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def key(opened: Opened) -> bytes:
    """16 bytes that stand for what a video holds; of frames, for all of them in their order."""
    if not isinstance(opened.content, tuple):
        return key_of(opened)
    digest = hashlib.blake2b(digest_size=16)
    for frame in opened.content:
        digest.update(content_key(frame) if isinstance(frame, bytes) else file_key(frame))
    return digest.digest()


def look(opened: Opened) -> Facts:
    """Decode a few frames: a fingerprint of them, and whether the video is cut off, or its clock is odd.

    Raises:
        EmptyValue: it holds no images.
        DataError: it can't be decoded.
    """
    from plait.processors.frames import Picks, read_clip, remarks

    clip = read_clip(opened.content, Picks(frames=STILLS, exact=True))
    odd = None
    found = remarks(clip)
    if "long_video" in found:
        odd = Oddity(
            "long_video", "are longer than what is read of them; set the input's seconds", f"{clip.seconds:g} s"
        )
    elif found:
        odd = Oddity("cut_video", "are cut off or damaged; what could be read counts", f"{clip.seconds:.1f} s")
    elif clip.count == 1:
        odd = Oddity("one_frame", "hold one frame; is the column one of images?", "1 frame")
    elif clip.count / clip.seconds > FASTEST:
        odd = Oddity(
            "fast_video", "show frames faster than any screen; their clock may be wrong", f"{clip.seconds:g} s"
        )
    return Facts(image_fingerprint(_as_tensor(_strip(clip.frames, 64))) or None, odd)


def _as_tensor(picture: Any) -> Any:
    import numpy as np
    import torch

    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def show(opened: Opened, side: int) -> Shown:
    """A video's path and length, four of its frames side by side, and its first ten seconds to play, with sound."""
    from plait.processors.films import as_film
    from plait.processors.frames import Picks, read_clip

    clip = read_clip(opened.content, Picks(frames=STILLS))
    length = f"{clip.seconds:.1f} s" if clip.seconds < 100 else f"{clip.seconds / 60:.1f} min"
    if isinstance(opened.content, tuple):
        length = f"{clip.count} frames"
    text = f"{opened.name[-200:]} ({length})" if opened.name else length
    return Shown(text, _strip(clip.frames, side), lambda: as_film(opened.content, PLAYED), "video/webm")


def _strip(frames: Sequence[Any], side: int) -> Any:
    """Frames side by side as a PIL image, `side` pixels wide."""
    from PIL import Image

    each = max(1, side // len(frames))
    small = [Image.fromarray(frame) for frame in frames]
    for one in small:
        one.thumbnail((each, side))
    strip = Image.new("RGB", (sum(one.width for one in small), max(one.height for one in small)), "white")
    left = 0
    for one in small:
        strip.paste(one, (left, 0))
        left += one.width
    return strip


def sample_cells() -> list[Any]:
    """Bytes, Hugging Face's dict, frames in order, and an empty cell."""
    video, frame = base64.b64decode(TINY_FLV), base64.b64decode(image.TINY_PNG)
    return [video, {"bytes": video, "path": None}, [frame, frame], None]


VIDEO = Modality(
    name="video",
    short="vid",
    recognise=recognise,
    default="scratch:video_cnn",
    made_of="image",
    packaged="packaged:efficientnet-lite0",
    encoders=("hf:NAME (VideoMAE)", "any encoder of images, frame by frame", "FOLDER"),
    processors=("video",),
    fitting=20,
    suffixes=SUFFIXES,
    feature="Video",
    media=True,
    several=True,
    lists=True,
    shared=True,
    anchors=True,
    pictured=True,
    timed=True,
    heard=True,
    noises={
        "frame_drop": Noise(
            (0.25, 0.5, 0.75), "probability of each frame", lambda v, level, r, p: without_frames(v, level, r, p)
        ),
        "frozen_frames": Noise((0.25, 0.5, 0.75), "share of the time", lambda v, level, r, p: frozen(v, level, r, p)),
        "video_blur": Noise(
            (0.01, 0.02, 0.04, 0.08), "deviation over the side", lambda v, level, r, p: blurred(v, level, p)
        ),
        "video_shift": Noise(
            (0.1, 0.25, 0.5, 1.0), "seconds that images come late", lambda v, level, r, p: out_of_step(v, level, p)
        ),
    },
    takes=takes,
    store=store,
    read=read,
    pieces=pieces,
    open=open_video,
    key=key,
    look=look,
    recur=lambda values: False,
    show=show,
    sample_cells=sample_cells,
)
