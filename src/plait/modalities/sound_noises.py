"""Ways to make sounds worse: noise, lost frequencies, clipping, dropouts."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy libraries are imported where a sound is made worse
    import numpy as np

    from plait.processors.sound import Sound

READ = 600.0  # seconds of a sound
PIECE = 0.05  # seconds of a dropout


def with_white_noise(sound: Path | str | bytes, ratio: float, random: "np.random.Generator") -> bytes:
    """A sound with white noise.

    Args:
        sound: a file or its bytes.
        ratio: of the sound's energy to the noise's, in decibels.
        random: draws the noise.
    """
    import numpy as np

    opened = _opened(sound)
    level = float(np.sqrt(np.square(opened.wave, dtype=np.float64).mean())) * 10 ** (-ratio / 20)
    return _file(opened.wave + level * random.normal(size=len(opened.wave)), opened.rate)


def low_passed(sound: Path | str | bytes, hertz: float) -> bytes:
    """A sound without what lies above a frequency, as over a telephone."""
    from plait.processors.sound import resampled

    opened = _opened(sound)
    if opened.rate <= 2 * hertz:
        return _file(opened.wave, opened.rate)
    narrow = resampled(opened.wave, opened.rate, round(2 * hertz))
    return _file(resampled(narrow, round(2 * hertz), opened.rate), opened.rate)


def clipped(sound: Path | str | bytes, share: float) -> bytes:
    """A sound recorded too loud: what lies above a share of its peak is cut off, and the rest as loud as before."""
    import numpy as np

    opened = _opened(sound)
    peak = float(np.abs(opened.wave).max())
    return _file(np.clip(opened.wave, -share * peak, share * peak) / share, opened.rate)


def with_dropouts(sound: Path | str | bytes, share: float, random: "np.random.Generator") -> bytes:
    """A sound with silent gaps of a twentieth of a second.

    Args:
        sound: a file or its bytes.
        share: probability of each piece to be silent.
        random: one number is drawn per piece, so that a larger share silences the same pieces and more.
    """
    import numpy as np

    opened = _opened(sound)
    piece = max(1, round(PIECE * opened.rate))
    silent = random.random(-(-len(opened.wave) // piece)) < share
    return _file(np.where(np.repeat(silent, piece)[: len(opened.wave)], 0.0, opened.wave), opened.rate)


def late(sound: Path | str | bytes, seconds: float) -> bytes:
    """A sound that comes so many seconds late, and ends when it did: what was last is lost."""
    import numpy as np

    opened = _opened(sound)
    silent = min(len(opened.wave), round(seconds * opened.rate))
    return _file(np.concatenate([np.zeros(silent), opened.wave[: len(opened.wave) - silent]]), opened.rate)


def _opened(sound: Path | str | bytes) -> "Sound":
    from plait.processors.sound import read_sound

    return read_sound(sound, READ)


def _file(wave: "np.ndarray", rate: int) -> bytes:
    from plait.processors.sound import as_wav

    return as_wav(wave, rate)
