"""Sound: one channel at one rate, of its own length."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from plait.processors.sound import name_of, note, read_sound

RATE = 16_000  # Hz: speech needs no more, and most pretrained encoders read it
SECONDS = 60.0

Channel = Literal["mean", "loudest"]
Rate = Annotated[int, Ge(1_000), Le(192_000)]
Seconds = Annotated[float, Gt(0), Le(36_000)]


class AudioProcessor:
    """A sound file → its samples; nothing is padded or cut to one length.

    Args:
        rate: Hz that sounds are resampled to (soxr, never by interpolation).
        seconds: read of each, from its start; a warning names the first that is longer.
        channel: `mean` of a file's channels, or the `loudest` of them where they cancel each other out.

    >>> short, long = ({"wave": np.ones(samples, np.float32)} for samples in (2, 3))
    >>> AudioProcessor(rate=1_000).collate([short, long])["length"]
    tensor([2, 3])
    """

    def __init__(self, rate: Rate = RATE, seconds: Seconds = SECONDS, channel: Channel = "mean") -> None:
        self.rate = rate
        self.seconds = seconds
        self.channel = channel

    @classmethod
    def fit(
        cls,
        sounds: Iterable[Path | str | bytes],
        rate: Rate = RATE,
        seconds: Seconds = SECONDS,
        channel: Channel = "mean",
    ) -> "AudioProcessor":
        """A processor for encoders from scratch: nothing of it is learned from the sounds.

        Args:
            sounds: of training rows.
            rate, seconds, channel: as above.
        """
        return cls(rate, seconds, channel)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def __call__(self, value: Path | str | bytes) -> dict[str, np.ndarray]:
        """Decode one sound.

        Raises:
            EmptyValue: it holds no sound.
            DataError: it is missing, damaged, or of an unknown kind.
            MissingExtra: `plait[audio]` is not installed.
        """
        sound = read_sound(value, self.seconds, self.rate, self.channel == "loudest")
        note(sound, name_of(value), self.seconds)
        return {"wave": sound.wave}

    def blank(self) -> dict[str, np.ndarray]:
        """A tenth of a second of silence."""
        return {"wave": np.zeros(max(1, self.rate // 10), np.float32)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U sounds → `{"wave": [U, N] float32, "length": [U] int64}`, padded with silence to the longest."""
        lengths = [len(value["wave"]) for value in values]
        waves = np.zeros((len(values), max(lengths)), np.float32)
        for wave, value in zip(waves, values, strict=True):
            wave[: len(value["wave"])] = value["wave"]
        return {"wave": torch.from_numpy(waves), "length": torch.tensor(lengths)}
