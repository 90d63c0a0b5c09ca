"""Sounds: files, bytes, and arrays with a rate."""

import base64
from collections.abc import Sequence
from typing import Any

from plait.errors import DataError
from plait.modalities.fingerprints import sound_fingerprint
from plait.modalities.media import Media, Opened, are_media, open_long_file, split_cell
from plait.modalities.modality import Facts, Modality, Oddity, Shown
from plait.modalities.noises import Noise
from plait.modalities.sample import Sample
from plait.modalities.sound_noises import clipped, late, low_passed, with_dropouts, with_white_noise

SUFFIXES = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".au", ".wma", ".amr"),
        *(".caf", ".mka", ".w64"),
    )
)
STARTS = (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"riff", b"#!AMR", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
MOST = 8_000_000_000  # bytes of a file, which is decoded bit by bit
LOOKED_AT = 600.0  # seconds of a sound that are checked
USUAL = 60.0  # seconds that encoders from scratch read
HEARD = 10.0  # seconds that a page plays
MOST_CHANNELS = 64
WHOLE = {"int16": 32_768.0, "int32": 2_147_483_648.0}
# A hundredth of a second of a square wave: 80 samples at 8 kHz, 8 bits.
TINY_WAV = base64.b64encode(
    b"RIFF\x74\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    b"data\x50\x00\x00\x00" + 10 * b"\xc0\xc0\xc0\xc0\x40\x40\x40\x40"
).decode()


def recognise(sample: Sample) -> str | None:
    """Nine of ten cells name sound files, or are sounds."""
    if not are_media(sample.values, SUFFIXES, _is_sound):
        return None
    return "its cells name sound files" if isinstance(sample.values[0], str) else "its cells are sounds"


def _is_sound(data: bytes) -> bool:
    """By how a file begins."""
    if data[:4] in (b"RIFF", b"RF64", b"FORM"):
        return data[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return data.startswith(STARTS) or (data[4:8] == b"ftyp" and data[8:11] == b"M4A")


def takes(cell: Any) -> bool:
    """Hugging Face's `{array, sampling_rate}`, `(rate, array)` of SciPy, torchcodec's decoders; or a list."""
    if isinstance(cell, list) and cell:
        return all(map(_is_object, cell))
    return _is_object(cell)


def _is_object(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("array") is not None and "sampling_rate" in value
    if isinstance(value, tuple):
        return len(value) == 2 and {type(part).__name__ for part in value} & {"ndarray", "Tensor"} != set()
    return hasattr(value, "get_all_samples")


def store(column: str, row: int, value: Any) -> Any:
    """An array with its rate as the bytes of a wave file, in float32; a list of them as a list.

    Args:
        column, row: of the cell, for the message.
        value: samples `[N]`, `[N, channels]` or `[channels, N]` of floats in -1..1 or of 16 or 32 bits, and their rate.

    Raises:
        DataError: the array has another shape or type, or the rate is none.
        MissingExtra: `plait[audio]` is not installed.
    """
    if isinstance(value, list):
        return [store(column, row, item) for item in value]
    import numpy as np

    from plait.processors.sound import as_wav

    where = f"row {row}, column {column!r}"
    if isinstance(value, dict):
        samples, rate = value["array"], value["sampling_rate"]
    elif isinstance(value, tuple):
        samples, rate = value if np.ndim(value[0]) else value[::-1]
    else:
        decoded = value.get_all_samples()
        samples, rate = decoded.data, decoded.sample_rate
    try:
        array = np.asarray(samples)
    except (ValueError, RuntimeError, TypeError) as error:  # rows of unlike length, a tensor with a gradient
        raise DataError(f"{where}: expected samples as an array ({str(error)[:80]})") from error
    shape = "×".join(map(str, array.shape))
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 100 <= rate <= 1_000_000:
        raise DataError(f"{where}: expected a rate of 100 to 1,000,000 Hz beside the samples, got {str(rate)[:40]!r}")
    if array.ndim not in (1, 2):
        raise DataError(f"{where}: expected sound as N samples or N×channels, got an array of {shape}")
    if array.ndim == 2:
        if array.shape[0] < array.shape[1]:
            array = array.T
        if 0 in array.shape:
            array = np.zeros((0, 1), np.float32)
        elif array.shape[1] > MOST_CHANNELS or array.shape[0] == array.shape[1] > 1:
            raise DataError(f"{where}: expected sound as N samples or N×channels, got an array of {shape}")
    if array.dtype.name in WHOLE:
        array = array / WHOLE[array.dtype.name]
    elif array.dtype.kind != "f":
        raise DataError(f"{where}: expected samples of floats, int16 or int32, got {array.dtype}; convert them")
    return as_wav(array, round(float(rate)))


def read(column: str, cell: Any, form: Any = None) -> None:
    """Nothing: any cell may hold sounds, and whether it does shows when they are opened."""


def pieces(cell: Any) -> Sequence[Any]:
    """The paths or bytes in a cell."""
    return split_cell(cell)


def open_sound(piece: Any, media: Media) -> Opened:
    """The bytes of a sound's file; of a large one its path."""
    return open_long_file(piece, media, MOST)


def look(opened: Opened) -> Facts:
    """Decode a sound once: its fingerprint, and whether it is cut off, cancels itself out or is long.

    Raises:
        EmptyValue: it holds no sound.
        DataError: it can't be decoded.
    """
    from plait.processors.sound import read_sound, remarks

    sound = read_sound(opened.content, LOOKED_AT, 16_000)
    found = remarks(sound, LOOKED_AT)
    odd = None
    if "cut_sound" in found:
        odd = Oddity("cut_sound", "are cut off; what could be read counts", f"{sound.seconds:.1f} s")
    elif sound.cancelled:
        text = "have channels that cancel each other out; take one with the input's channel: loudest"
        odd = Oddity("cancelled_channels", text, f"{sound.channels} channels")
    elif sound.seconds > USUAL:
        text = (
            f"are longer than {USUAL:g} s: encoders from scratch read so much of them, others {LOOKED_AT:g} s; set "
            "the input's seconds"
        )
        odd = Oddity("long_sound", text, f"{sound.seconds:.0f} s")
    return Facts(sound_fingerprint(sound.wave) or None, odd)


def show(opened: Opened, side: int) -> Shown:
    """A sound's path and length, its spectrogram of at most `side` pixels a side, and its first ten seconds to hear."""
    from plait.processors.sound import as_mp3, read_sound, spectrogram

    sound = read_sound(opened.content, HEARD, 16_000)
    text = f"{opened.name[-200:]} ({sound.seconds:.1f} s)" if opened.name else f"{sound.seconds:.1f} s"
    return Shown(text, spectrogram(sound.wave, side), lambda: as_mp3(sound.wave))


def sample_cells() -> list[Any]:
    """Bytes, Hugging Face's dict, a list of several, and an empty cell."""
    wav = base64.b64decode(TINY_WAV)
    return [wav, {"bytes": wav, "path": None}, [wav, wav], None]


AUDIO = Modality(
    name="audio",
    plural="sounds",
    short="aud",
    recognise=recognise,
    default="scratch:audio_cnn",
    packaged="packaged:whisper-tiny-en",
    counted="fixed:audio_statistics",
    encoders=("packaged:whisper-tiny-en", "hf:NAME (Wav2Vec2, HuBERT, WavLM, AST, Whisper)", "FOLDER"),
    processors=("audio",),
    suffixes=SUFFIXES,
    feature="Audio",
    media=True,
    several=True,
    shared=True,
    anchors=True,
    by_length=True,
    pictured=True,
    timed=True,
    heard=True,
    unusable="unusable_sound",
    noises={
        "white_noise": Noise(
            (20, 10, 5, -5), "signal to noise, dB", lambda s, level, r, _: with_white_noise(s, level, r)
        ),
        "low_pass": Noise(
            (4000, 2000, 1000, 500), "highest frequency, Hz", lambda s, level, r, _: low_passed(s, level)
        ),
        "clipping": Noise((0.5, 0.25, 0.1, 0.05), "share of the peak", lambda s, level, r, _: clipped(s, level)),
        "time_shift": Noise((0.1, 0.25, 0.5, 1.0), "seconds that it comes late", lambda s, level, r, _: late(s, level)),
        "dropouts": Noise(
            (0.1, 0.25, 0.5, 0.75), "share of the time", lambda s, level, r, _: with_dropouts(s, level, r)
        ),
    },
    takes=takes,
    store=store,
    read=read,
    pieces=pieces,
    open=open_sound,
    look=look,
    recur=lambda values: False,
    show=show,
    sample_cells=sample_cells,
)
