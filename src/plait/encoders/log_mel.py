"""Samples → normalised log-mel frames: what encoders of sound from scratch begin with."""

import torch
from torch import Tensor, nn

from plait.encoders.sound_augment import SoundAugment
from plait.processors.audio import AudioProcessor
from plait.processors.spectrum import decibels, frames_of, mel_spectrum

WINDOW, HOP = 0.025, 0.010  # seconds
MIDDLE, SPREAD = -40.0, 20.0  # decibels: of usual recordings, about


class LogMel(nn.Module):
    """Log-mel frames every 10 ms, with mean about 0 and spread about 1.

    Args:
        processor: says the rate.
        mels: bands.
        augment: random changes in training.

    Shapes: `{"wave": [U, N], "length": [U]}` → `[U, T, mels]`, `[U, T]` bool: the frame lies within the sound.

    >>> frames, mask = LogMel(AudioProcessor())({"wave": torch.zeros(2, 1600), "length": torch.tensor([1600, 1])})
    >>> frames.shape, mask.sum(dim=1).tolist()
    (torch.Size([2, 11, 64]), [11, 1])
    """

    def __init__(self, processor: AudioProcessor, mels: int = 64, augment: SoundAugment | None = None) -> None:
        super().__init__()
        self.rate, self.mels = processor.rate, mels
        self.size, self.hop = round(WINDOW * self.rate), round(HOP * self.rate)
        self.augment = augment or SoundAugment()

    def mask(self, length_U: Tensor, samples: int) -> Tensor:
        """`[U, T]` bool: the frame lies within the sound."""
        frames = samples // self.hop + 1
        return torch.arange(frames, device=length_U.device) < frames_of(length_U, self.hop).unsqueeze(1)

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        wave, length = features["wave"], features["length"]
        mask = self.mask(length, wave.shape[1])
        with torch.autocast(wave.device.type, enabled=False):  # powers span ten decimal places
            wave = self.augment.waves(wave.float(), length, self.rate)
            x = decibels(mel_spectrum(wave, self.rate, self.mels, self.size, self.hop)).transpose(1, 2)
            x = self.augment.bands((x - MIDDLE) / SPREAD, length, self.hop)
            return x * mask.unsqueeze(2), mask

    def where(self, length_U: Tensor, tokens: int, frames: int) -> Tensor:
        """`[U, tokens, 2]` start and end in seconds of tokens of so many frames each; none ends after its sound."""
        start = torch.arange(tokens, device=length_U.device) * (frames * self.hop / self.rate)
        seconds = (length_U / self.rate).view(-1, 1, 1)
        return torch.minimum(torch.stack([start, start + frames * self.hop / self.rate], dim=1), seconds)
