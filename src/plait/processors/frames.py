"""Video files, lists and folders of frames → frames picked by their own times: bounded decoding, one pass, upright."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from plait.errors import DataError, EmptyValue, import_extra
from plait.files.reading import open_plain
from plait.processors.image import MAX_PIXELS, decode_image

# What FFmpeg may take a file for: none that opens further files or addresses that it names.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,asf,mpegts,mpeg,flv,ogg,m4v,mjpeg,h264,hevc,ivf,apng"
MOST_PACKETS = 20_000_000  # of a file
CUT = 0.95  # share of the length in the header below which a file is cut off
SHORTEST = 0.04  # seconds that a lone frame stands for
ALPHA = ("rgba", "bgra", "argb", "abgr", "ya8", "pal8", "gbrap")
Frame = np.ndarray
Each = Callable[[Frame], np.ndarray]


@dataclass(frozen=True, eq=False)
class Clip:
    """Some frames of a video, in order.

    Args:
        frames: what `each` made of them: by default `[H, W, 3]` uint8.
        where: `[F, 2]` float64, from which second to which each stands for the video, from its start.
        seconds: of the video, as far as it was read.
        count: frames that the file holds in that time.
        cut: the file ends before its header says it does, or is damaged further on; what is there was read.
        heard: it has sound.
        longer: it goes on after `seconds`.
    """

    frames: list[np.ndarray]
    where: np.ndarray
    seconds: float
    count: int
    cut: bool = False
    heard: bool = False
    longer: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Clip) or len(self.frames) != len(other.frames):
            return False
        alike = all(np.array_equal(one, another) for one, another in zip(self.frames, other.frames, strict=True))
        return alike and np.array_equal(self.where, other.where)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Picks:
    """Which frames are read: of equal stretches of the video the frame in the middle.

    Args:
        frames: at most.
        fps: stretches a second, as far as `frames` allow; None for as many as `frames`.
        seconds: of the video, from its start.
        rate: frames a second of lists and folders, which have no clock.
        exact: give a frame for each stretch, also where one stays on the screen for several; else it comes once, and
            stands for all of them.
    """

    frames: int = 16
    fps: float | None = None
    seconds: float = 3_600.0
    rate: float = 1.0
    exact: bool = False

    def stretches(self, length: float) -> int:
        """How many equal stretches a video of so many seconds has."""
        if self.fps is None:
            return self.frames
        return int(min(self.frames, max(1, round(length * self.fps))))

    def of(self, begins: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the picked frames, and `[F, 2]` from when to when each stands for the video.

        Args:
            begins: `[N]` seconds at which each frame begins to be shown, never falling.
            length: seconds of the whole.

        >>> positions, where = Picks(frames=4).of(np.array([0.0, 0.1, 0.2, 0.9]), 1.0)
        >>> positions.tolist(), where.tolist()
        ([1, 2], [[0.0, 0.25], [0.25, 1.0]])
        """
        edges = np.linspace(0.0, length, self.stretches(length) + 1)
        # The frame that is on the screen in the middle of each stretch. Half of a thousandth of a stretch later, so
        # that a time that falls on a frame's own is not lost to rounding.
        middles = (edges[:-1] + edges[1:]) / 2 + 5e-4 * (edges[1] - edges[0])
        positions = (np.searchsorted(begins, middles, "right") - 1).clip(0)
        where = np.stack([edges[:-1], edges[1:]], axis=1)
        if self.exact:
            return positions, where
        first = np.flatnonzero(np.append(True, np.diff(positions) != 0))
        return positions[first], np.stack([where[first, 0], np.append(where[first[1:], 0], length)], axis=1)


def read_clip(value: Path | str | bytes | tuple[Any, ...], picks: Picks, each: Each = lambda frame: frame) -> Clip:
    """Decode some frames of a video, of a GIF, or of a list of images.

    Only what the picks need is decoded, from the key frame before them. Times are the frames' own, counted from where
    the file starts, as are those of its sound. Frames are upright, with square pixels, and white where they are
    transparent.

    Args:
        value: a file, its bytes, or a tuple of image files or their bytes, in order.
        picks: which.
        each: called with each picked frame, `[H, W, 3]` uint8, as soon as it is decoded; what it gives is kept.

    Raises:
        EmptyValue: it holds no images.
        DataError: it is missing, damaged, of an unknown kind, or larger than what may be decoded.
        MissingExtra: `plait[video]` is not installed.
    """
    if isinstance(value, tuple):
        return _listed(value, picks, each)
    name = name_of(value)
    source = io.BytesIO(value) if isinstance(value, bytes) else open_plain(value)
    with source:
        if not source.read(1):
            raise DataError(f"{name}: expected a video, got an empty file (0 bytes)")
        contents = _contents(source, name, picks.seconds)
        positions, where = picks.of(contents.begins, contents.seconds)
        wanted = sorted({contents.stamps[place] for place in positions})
        made, damaged = _decoded(source, name, contents, wanted, each)
    found = [contents.stamps[place] in made for place in positions]
    frames = [made[contents.stamps[place]] for place, one in zip(positions, found, strict=True) if one]
    if not frames:
        raise DataError(f"{name}: the video is damaged, none of its frames can be decoded")
    return Clip(
        frames,
        where[np.array(found)],
        contents.seconds,
        len(contents.stamps),
        contents.cut or damaged,
        contents.heard,
        contents.longer,
    )


def _listed(values: tuple[Any, ...], picks: Picks, each: Each) -> Clip:
    """A list of images: a frame every `1 / rate` seconds."""
    if not values:
        raise EmptyValue("a list of frames without one")
    begins = np.arange(len(values)) / picks.rate
    length = min(len(values) / picks.rate, picks.seconds)
    positions, where = picks.of(begins, length)
    made = {place: each(decode_image(values[place]).permute(1, 2, 0).numpy()) for place in sorted(set(positions))}
    return Clip([made[place] for place in positions], where, length, len(values))


@dataclass
class _Contents:
    """What the packets of a video say.

    Args:
        stamps: of its frames in the order in which they are shown, in the stream's own unit.
        keys: those at which a decoder can start.
        begins: `[N]` seconds of the stamps.
        seconds: of the whole.
        cut: it ends too early.
        heard: it has sound.
        timed: its packets have times; else frames are counted.
        longer: it goes on after what is read.
    """

    stamps: list[int]
    keys: list[int]
    begins: np.ndarray
    seconds: float
    cut: bool
    heard: bool
    timed: bool
    longer: bool


@contextmanager
def _opened(source: BinaryIO, name: str) -> Iterator[tuple[Any, Any]]:
    """A container and its stream of images, closed at the end."""
    av = import_extra("av", "video")
    source.seek(0)
    try:
        container = av.open(source, container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise DataError(f"{name}: expected a video, got a file of another kind or a damaged one") from error
    with container:
        moving = [one for one in container.streams.video if not _is_cover(one)]
        if not moving:
            raise EmptyValue(f"{name}: holds no images")
        stream = moving[0]
        if getattr(stream, "codec_context", None) is None:
            raise DataError(f"{name}: the video is coded in a way that FFmpeg does not know")
        if stream.width * stream.height > MAX_PIXELS:
            size = f"{stream.width} x {stream.height}"
            raise DataError(f"{name}: frames of {size} pixels are more than the allowed {MAX_PIXELS:,}; shrink it")
        yield container, stream


def _is_cover(stream: Any) -> bool:
    """An image that stands beside a piece of music."""
    disposition = getattr(stream, "disposition", 0)
    return bool(getattr(type(disposition), "attached_pic", 0) & disposition) if disposition else False


def _contents(source: BinaryIO, name: str, seconds: float) -> _Contents:
    """Read all packets and decode none: when frames are shown, and where the file ends."""
    av = import_extra("av", "video")
    with _opened(source, name) as (container, stream):
        unit = float(stream.time_base)
        start = max(0, container.start_time or 0) / 1_000_000
        sounds = [one for one in container.streams.audio if getattr(one, "codec_context", None) is not None]
        stamps: list[int] = []
        keys: list[int] = []
        last, ends, timed, failed = 0, start, True, False
        try:
            for number, packet in enumerate(container.demux([stream, *sounds])):
                if number > MOST_PACKETS:
                    raise DataError(f"{name}: more than {MOST_PACKETS:,} packets; cut it")
                if packet.size == 0 or packet.time_base is None:
                    continue
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None:
                    ends = max(ends, float((stamp + (packet.duration or 0)) * packet.time_base))
                if packet.stream.index != stream.index or packet.is_discard:
                    continue
                timed = timed and packet.pts is not None
                stamps.append(len(stamps) if packet.pts is None else packet.pts)
                last = packet.duration or last
                if packet.is_keyframe:
                    keys.append(stamps[-1])
                if packet.pts is not None and packet.pts * unit - start > seconds + 5:  # frames are not in order
                    break
        except av.FFmpegError:
            failed = True
        whole = None if container.duration is None else container.duration / 1_000_000
        rate = float(stream.average_rate or 0)
    if not stamps:
        if whole or failed:
            raise DataError(f"{name}: the video is cut off or damaged before its first frame")
        raise EmptyValue(f"{name}: holds no images")
    period = 1 / rate if 0 < rate < 1e5 else 1 / 25
    order = sorted(set(stamps)) if timed else stamps
    begins = (np.array(order) * unit - start) if timed else np.arange(len(order)) * period
    begins = np.maximum(begins, 0.0)
    tail = last * unit if timed and last else period
    length = float(begins[-1]) + max(tail, 0.0)
    length = length if length > 0 else SHORTEST
    inside = begins < seconds
    # Some headers count the length from zero and some from where the file starts: the longer end is given the benefit.
    cut = failed or (whole is not None and length < seconds and ends < CUT * whole - 0.5 * period)
    order = [stamp for stamp, one in zip(order, inside, strict=True) if one] or order[:1]
    begins = begins[: len(order)]
    longer = max(length, whole or 0.0) > seconds + 1
    return _Contents(order, sorted(keys), begins, min(length, seconds), cut, bool(sounds), timed, longer)


def _decoded(
    source: BinaryIO, name: str, contents: _Contents, wanted: Sequence[int], each: Each
) -> tuple[dict[int, np.ndarray], bool]:
    """Frames by their stamps, each passed through `each`; and whether the file is damaged on the way."""
    found: dict[int, np.ndarray] = {}
    if contents.timed:
        found, damaged = _pass(source, name, contents, wanted, each, seeks=True)
        if len(found) == len(wanted):
            return found, damaged
    # A container that can't go to a time, or a decoder that gives other times than packets: from the start, in order.
    made, damaged = _pass(source, name, contents, [stamp for stamp in wanted if stamp not in found], each, seeks=False)
    return {**found, **made}, damaged


def _pass(
    source: BinaryIO, name: str, contents: _Contents, wanted: Sequence[int], each: Each, seeks: bool
) -> tuple[dict[int, np.ndarray], bool]:
    av = import_extra("av", "video")
    made: dict[int, np.ndarray] = {}
    waiting = list(reversed(wanted))
    keys = np.array(contents.keys or [contents.stamps[0]])
    # One for all frames, in this thread: by default each frame starts threads of its own, which takes longer than it.
    reformatter = av.video.reformatter.VideoReformatter()
    with _opened(source, name) as (container, stream):
        try:
            frames, at, sought, count = container.decode(stream), -math.inf, contents.stamps[0], 0
            before: Any = None
            while waiting:
                target = waiting[-1]
                key = keys[max(0, int(np.searchsorted(keys, target, "right")) - 1)]
                if seeks and at < key <= target and key > sought:  # once each: some containers go elsewhere
                    sought = key
                    container.seek(int(key), stream=stream)
                    frames, before = container.decode(stream), None
                frame = next(frames, None)
                if frame is None:
                    break
                stamp = frame.pts if contents.timed else count
                count += 1
                if stamp is None:
                    continue
                at = stamp
                # Of a stamp that no frame has, the frame before it is on the screen.
                while waiting and stamp > waiting[-1]:
                    if before is not None and not seeks:
                        made[waiting[-1]] = each(_upright(before, stream, reformatter))
                    waiting.pop()
                if waiting and stamp == waiting[-1]:
                    made[waiting.pop()] = each(_upright(frame, stream, reformatter))
                before = frame
            if waiting and before is not None and not seeks:
                made[waiting[-1]] = each(_upright(before, stream, reformatter))
        except av.FFmpegError:
            return made, True
    return made, len(made) < len(wanted)


def _upright(frame: Any, stream: Any, reformatter: Any) -> Frame:
    """`[H, W, 3]` uint8 as a person sees it."""
    if frame.width * frame.height > MAX_PIXELS:
        raise DataError(f"a frame of {frame.width} x {frame.height} pixels is more than the allowed {MAX_PIXELS:,}")
    shape = stream.sample_aspect_ratio or getattr(stream.codec_context, "sample_aspect_ratio", None)
    width = frame.width
    if shape and 0.1 < shape < 10 and shape != 1:
        width = max(1, round(frame.width * float(shape)))
    size = {} if width == frame.width else {"width": width, "height": frame.height}
    if frame.format.name in ALPHA or frame.format.name.startswith("yuva"):
        rgba = reformatter.reformat(frame, format="rgba", threads=1, **size).to_ndarray().astype(np.uint16)
        alpha = rgba[:, :, 3:]
        pixels = ((rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    else:
        pixels = reformatter.reformat(frame, format="rgb24", threads=1, **size).to_ndarray()
    turns = round((frame.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def remarks(clip: Clip) -> dict[str, str]:
    """What the owner of a video should know of how it was read: kind → a sentence."""
    if clip.cut:
        return {"cut_video": f"the file is cut off or damaged; its {clip.seconds:.1f} s that could be read count"}
    if clip.longer:
        return {"long_video": f"the first {clip.seconds:g} s are read; raise the input's seconds for more"}
    return {}


def name_of(value: Any) -> str:
    """What messages call a video."""
    if isinstance(value, bytes):
        return getattr(value, "path", "") or f"video of {len(value):,} bytes"
    return f"{len(value)} frames" if isinstance(value, tuple) else str(value)
