"""Sound files → one channel of samples: bounded decoding, placed by time, resampled without shortcuts."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from plait.errors import DataError, DataWarning, EmptyValue, import_extra
from plait.files.reading import open_plain

BLOCK = 1 << 16  # frames that are decoded at once
SMALL = 1 << 12  # of FLAC, whose decoder gives nothing of a block in which the file ends
# What FFmpeg may take a file for. Others open further files or addresses that a file names (concat, hls, sdp), or are
# images.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,wav,w64,flac,mp3,aac,ac3,eac3,aiff,amr,caf,asf,avi,mpegts,mpeg,au,wv,"
    "ape,tta,dts,flv"
)
MOST_CHANNELS = 64
RATES = (100, 1_000_000)  # Hz that a file may claim
FAINT = 0.01  # share of a channel's energy below which the mean of the channels has lost it
FULL_SCALE = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0}
UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what a program writes into a header before it knows the length


@dataclass(frozen=True)
class Sound:
    """What a sound file holds, as one channel.

    Args:
        wave: `[N]` float32, in -1..1 as a rule.
        rate: samples a second.
        seconds: of the file, as far as it was read or its header says.
        channels: of the file.
        cut: the file ends before its header says it does, or in the middle of a page; what is there was read.
        cancelled: the mean of the channels is far weaker than one of them.
    """

    wave: np.ndarray
    rate: int
    seconds: float
    channels: int = 1
    cut: bool = False
    cancelled: bool = False


def read_sound(value: Path | str | bytes, seconds: float, rate: int | None = None, loudest: bool = False) -> Sound:
    """Decode a sound file, or the sound of a video, from its start.

    Wave, FLAC, Ogg, Opus, MP3 and AIFF are read by libsndfile, all else (M4A, MP4, WebM, …) by FFmpeg, whose pieces
    are placed by their times, so that sound that starts late starts late here too. Several channels become their mean.

    Args:
        value: a file, or its bytes.
        seconds: of it, at most; longer ones are read so far.
        rate: Hz to resample to, with soxr; None for the file's own.
        loudest: take the channel of the most energy instead of the mean.

    Raises:
        EmptyValue: it holds no sound.
        DataError: it is missing, damaged, of an unknown kind, or holds values that are no numbers.
        MissingExtra: `plait[audio]` is not installed.
    """
    name = name_of(value)
    source = io.BytesIO(value) if isinstance(value, bytes) else open_plain(value)
    with source:
        if not source.read(1):
            raise DataError(f"{name}: expected sound, got an empty file (0 bytes)")
        source.seek(0)
        decoded = _by_sndfile(source, name) or _by_ffmpeg(source, name)
        try:
            return _mixed(decoded, name, seconds, rate, loudest)
        finally:
            decoded.close()


@dataclass
class _Decoded:
    """A file that is being decoded: blocks `[n, channels]` float32; `length` in frames where its header tells it."""

    blocks: Iterator[np.ndarray]
    rate: int
    channels: int
    length: int | None
    cut: bool
    container: Any

    def close(self) -> None:
        self.container.close()


def _by_sndfile(source: BinaryIO, name: str) -> _Decoded | None:
    """None where libsndfile does not know the format."""
    soundfile = import_extra("soundfile", "audio")
    try:
        opened = soundfile.SoundFile(source)
    except (soundfile.LibsndfileError, TypeError, ValueError):
        source.seek(0)
        return None
    length = opened.frames if 0 <= opened.frames < 1 << 62 else None
    # Else soundfile seeks after every read, to where it is: decoders of MP3 start anew there, and lose samples.
    opened.seekable = lambda: False
    size = SMALL if opened.format == "FLAC" else BLOCK
    decoded = _Decoded(iter(()), opened.samplerate, opened.channels, length, _is_cut(source), opened)

    def blocks() -> Iterator[np.ndarray]:
        while True:
            try:
                block = opened.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                decoded.cut = True
                if opened.tell() <= 0:
                    raise DataError(f"{name}: the sound is damaged ({_first(error)})") from error
                return  # what came before it counts
            if not len(block):
                return
            yield block

    decoded.blocks = blocks()
    return decoded


def _by_ffmpeg(source: BinaryIO, name: str) -> _Decoded:
    av = import_extra("av", "audio")
    try:
        container = av.open(source, container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise DataError(f"{name}: expected sound, got a file of another kind or a damaged one") from error
    if not container.streams.audio:
        moving = bool(container.streams.video) and not container.format.name.endswith(("_pipe", "image2"))
        container.close()
        if moving:
            raise EmptyValue(f"{name}: holds no sound")
        raise DataError(f"{name}: expected sound, found none in the file")
    stream = container.streams.audio[0]
    if getattr(stream, "codec_context", None) is None:
        container.close()
        raise DataError(f"{name}: the sound is damaged, or coded in a way that FFmpeg does not know")
    rate, start = stream.sample_rate or 0, max(0, container.start_time or 0) / 1_000_000
    total = None if stream.duration is None or stream.time_base is None else float(stream.duration * stream.time_base)
    length = None if total is None else round(total * rate)
    channels = stream.channels or 0

    def blocks() -> Iterator[np.ndarray]:
        place = 0  # the frame that comes next
        try:
            for frame in container.decode(stream):
                block = _float(frame, name)
                due = place if frame.pts is None else round((float(frame.pts * frame.time_base) - start) * rate)
                if due > place + 1:  # silence, a block at a time: times in a file may be wild
                    for begin in range(place, due, BLOCK):
                        yield np.zeros((min(BLOCK, due - begin), channels), np.float32)
                    place = due
                elif due < place - 1:
                    block = block[place - due :]
                if length is not None:
                    block = block[: max(0, length - place)]
                if len(block):
                    place += len(block)
                    yield block
        except av.FFmpegError as error:
            decoded.cut = True
            if place == 0:
                raise DataError(f"{name}: the sound is damaged ({_first(error)})") from error

    decoded = _Decoded(iter(()), rate, channels, length, False, container)
    decoded.blocks = blocks()
    return decoded


def _float(frame: Any, name: str) -> np.ndarray:
    """A frame of FFmpeg as `[n, channels]` float32."""
    values, kind = frame.to_ndarray(), frame.format.name
    channels = len(frame.layout.channels)
    values = values.T if kind.endswith("p") else values.reshape(-1, channels)
    kind = kind.removesuffix("p")
    if kind in ("flt", "dbl"):
        return np.ascontiguousarray(values, np.float32)
    if kind not in FULL_SCALE:
        raise DataError(f"{name}: samples of the kind {kind} can't be read; convert the file to wave or FLAC")
    middle = 128.0 if kind == "u8" else 0.0
    return np.asarray((values.astype(np.float64) - middle) / FULL_SCALE[kind], np.float32)


def _mixed(decoded: _Decoded, name: str, seconds: float, rate: int | None, loudest: bool) -> Sound:
    """Blocks → one channel at one rate."""
    if not RATES[0] <= decoded.rate <= RATES[1] or not 1 <= decoded.channels <= MOST_CHANNELS:
        raise DataError(
            f"{name}: {decoded.channels} channels at {decoded.rate:,} Hz; expected 1 to {MOST_CHANNELS} at "
            f"{RATES[0]:,} to {RATES[1]:,} Hz"
        )
    most = max(1, round(seconds * decoded.rate))
    several = decoded.channels > 1
    parts: list[np.ndarray] = []
    energy, of_mean, count = np.zeros(decoded.channels), 0.0, 0
    for block in decoded.blocks:
        block = block[: most - count]
        if block.shape[1] != decoded.channels:
            raise DataError(f"{name}: the number of channels changes from {decoded.channels} to {block.shape[1]}")
        mean = block.mean(axis=1) if several else block[:, 0]
        if several:
            energy += np.einsum("nc,nc->c", block, block, dtype=np.float64)
            of_mean += float(np.dot(mean, mean))
        parts.append(block if several and loudest else mean)
        count += len(block)
        if count >= most:
            break
    if count == 0 and decoded.cut:
        raise DataError(f"{name}: the sound is cut off before its first piece")
    if count == 0:
        raise EmptyValue(f"{name}: holds no sound (0 seconds)")
    wave = np.concatenate(parts)
    if not np.isfinite(wave).all():
        raise DataError(f"{name}: holds samples that are no numbers")
    if several and loudest:
        wave = np.ascontiguousarray(wave[:, int(energy.argmax())])
    # A header that claims less or more than there is: what was decoded counts.
    ended = count < most
    short = ended and decoded.length is not None and count < 0.99 * decoded.length - 1
    length = count if ended or decoded.length is None else max(count, decoded.length)
    cancelled = several and not loudest and of_mean < FAINT * float(energy.max())
    own = decoded.rate
    return Sound(
        resampled(wave, own, rate) if rate else wave,
        rate or own,
        length / own,
        decoded.channels,
        decoded.cut or short,
        cancelled,
    )


def resampled(wave: np.ndarray, rate: int, to: int) -> np.ndarray:
    """A wave at another rate, band-limited (soxr, high quality); at least one sample.

    Raises:
        MissingExtra: `plait[audio]` is not installed.
    """
    if rate == to:
        return wave
    soxr = import_extra("soxr", "audio")
    made = np.asarray(soxr.resample(wave, rate, to), np.float32)
    return made if len(made) else wave[:1]


def note(sound: Sound, name: str, seconds: float) -> None:
    """Warn of what was lost of a sound; of each kind once a process."""
    for kind, text in remarks(sound, seconds).items():
        if kind not in _said:
            _said.add(kind)
            warnings.warn(f"{name}: {text} (said once; plait check lists all)", DataWarning, stacklevel=2)


_said: set[str] = set()


def remarks(sound: Sound, seconds: float) -> dict[str, str]:
    """What the owner of a sound should know of how it was read: kind → a sentence."""
    found = {}
    if sound.cut:
        found["cut_sound"] = f"the file is cut off; its {sound.seconds:.1f} s that could be read count"
    elif sound.seconds > seconds + 1:
        found["long_sound"] = f"of {sound.seconds:.1f} s the first {seconds:g} are read; raise the input's seconds"
    if sound.cancelled:
        found["cancelled_channels"] = (
            f"its {sound.channels} channels cancel each other out; take one with the input's channel: loudest"
        )
    return found


def name_of(value: Path | str | bytes) -> str:
    """What messages call a sound."""
    if isinstance(value, bytes):
        return getattr(value, "path", "") or f"sound of {len(value):,} bytes"
    return str(value)


def _is_cut(source: BinaryIO) -> bool:
    """Whether a file ends before its header says, which libsndfile does not tell; its position is kept."""
    place = source.tell()
    try:
        source.seek(0)
        head = source.read(12)
        size = source.seek(0, io.SEEK_END)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            claimed = int.from_bytes(head[4:8], "little")
            return claimed not in UNKNOWN_SIZES and claimed < 0xFFFFFF00 and claimed + 8 > size + 1
        if head[:4] == b"FORM":
            return int.from_bytes(head[4:8], "big") + 8 > size + 1
        if head[:4] == b"OggS":
            source.seek(max(0, size - 65_600))
            tail = source.read()
            last = tail.rfind(b"OggS")
            return last < 0 or len(tail) < last + 6 or not tail[last + 5] & 4  # the flag of a stream's last page
        return False
    finally:
        source.seek(place)


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def as_mp3(wave: np.ndarray, rate: int = 16_000) -> bytes:
    """A wave as a small MP3, which every browser plays.

    Raises:
        MissingExtra: `plait[audio]` is not installed.
    """
    soundfile = import_extra("soundfile", "audio")
    file = io.BytesIO()
    padded = np.pad(np.clip(wave, -1, 1), (0, max(0, rate // 20 - len(wave))))  # an MP3 of one sample is refused
    soundfile.write(file, padded, rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.7)
    return file.getvalue()


def spectrogram(wave: np.ndarray, side: int, rate: int = 16_000) -> Any:
    """A wave as a PIL image of its log-mel frames, low frequencies below, `side` pixels wide and half as high."""
    import torch
    from PIL import Image

    from plait.processors.spectrum import decibels, mel_spectrum

    mels = max(2, min(64, side // 2))
    bands = decibels(mel_spectrum(torch.from_numpy(wave)[None], rate, mels, rate // 40, rate // 100))[0].numpy()
    shade = np.clip((bands - bands.max() + 70.0) / 70.0, 0, 1)[::-1, :, None]
    dark, light = np.array([28.0, 32.0, 60.0]), np.array([255.0, 214.0, 130.0])
    pixels = (dark + shade * (light - dark)).round().astype(np.uint8)
    return Image.fromarray(pixels).resize((side, max(1, side // 2)), Image.Resampling.BILINEAR)


def as_wav(wave: np.ndarray, rate: int) -> bytes:
    """A WAV file of `[N]` or `[N, channels]`, 32-bit floats; the same for the same samples at any time.

    libsndfile writes the second of writing beside the peak, by which equal sounds would be different files.
    """
    soundfile = import_extra("soundfile", "audio")
    file = io.BytesIO()
    soundfile.write(file, wave.astype(np.float32), rate, format="WAV", subtype="FLOAT")
    written = bytearray(file.getvalue())
    peak = written.find(b"PEAK", 0, 128)  # then: size, version, time, of 4 bytes each
    if peak >= 0:
        written[peak + 12 : peak + 16] = bytes(4)
    return bytes(written)
