"""Google's speech embedding: a small CNN over mel frames, from openWakeWord's files."""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.weights import Weights
from plait.processors.audio import AudioProcessor, Channel, Seconds
from plait.types import Tokens

RATE, FFT, HOP, BANDS = 16_000, 512, 160, 32
WINDOW, STEP = 76, 8  # mel frames that a vector is of, and from one to the next
DIM = 96
LEAST = (WINDOW - 1) * HOP + FFT  # samples of one window
READ = 600.0  # seconds
# Channels in, channels out, kernel, sides that are padded, and the pool behind it (2002.01322).
LAYERS: tuple[tuple[int, int, tuple[int, int], tuple[int, int], tuple[int, int] | None], ...] = (
    (1, 24, (3, 3), (0, 1), None),
    (24, 24, (1, 3), (0, 1), None),
    (24, 24, (3, 1), (0, 0), (2, 2)),
    (24, 48, (1, 3), (0, 1), None),
    (48, 48, (3, 1), (0, 0), None),
    (48, 48, (1, 3), (0, 1), None),
    (48, 48, (3, 1), (0, 0), (1, 2)),
    (48, 72, (1, 3), (0, 1), None),
    (72, 72, (3, 1), (0, 0), None),
    (72, 72, (1, 3), (0, 1), None),
    (72, 72, (3, 1), (0, 0), (2, 2)),
    (72, 96, (1, 3), (0, 1), None),
    (96, 96, (3, 1), (0, 0), None),
    (96, 96, (1, 3), (0, 1), None),
    (96, 96, (3, 1), (0, 0), (1, 2)),
    (96, 96, (1, 3), (0, 1), None),
    (96, 96, (3, 1), (0, 0), None),
    (96, 96, (1, 3), (0, 1), None),
    (96, 96, (3, 1), (0, 0), (2, 2)),
    (96, 96, (3, 1), (0, 0), None),
)


class SpeechEmbedding(nn.Module):
    """A vector every 80 ms that says which sounds of speech 0.8 seconds hold (Lin et al., 2002.01322).

    What openWakeWord's two ONNX files compute, from a sound's start to its end at once; decibels are held against the
    loudest of the same sound.

    Args:
        processor: prepares the sounds, at 16 kHz.
        pool: `mean` gives one token, `none` one every 80 ms.

    Shapes: `{"wave": [U, N], "length": [U]}` → Tokens `[U, 1 or T, 96]`, of `none` with their seconds.
    """

    modality = "audio"
    eager_only = True

    def __init__(self, processor: AudioProcessor, pool: Literal["mean", "none"] = "mean") -> None:
        super().__init__()
        if pool not in ("mean", "none"):
            raise ValueError(f"pool: expected mean or none, got {pool!r}")
        self.processor = processor
        self.pool = pool
        self.out_dim = DIM
        self.weights: Weights | None = None
        self.waves: Tensor
        self.mel: Tensor
        self.register_buffer("waves", torch.zeros(2 * (FFT // 2 + 1), 1, FFT))  # windowed cosines, then sines
        self.register_buffer("mel", torch.zeros(FFT // 2 + 1, BANDS))
        self.layers = nn.ModuleList([nn.Conv2d(a, b, kernel, padding=sides) for a, b, kernel, sides, _ in LAYERS])

    @staticmethod
    def fit_processor(sounds: object, seconds: Seconds = READ, channel: Channel = "mean") -> AudioProcessor:
        """16 kHz, as the weights were trained."""
        return AudioProcessor(RATE, seconds, channel)

    def _tokens(self, length_U: Tensor) -> Tensor:
        frames = torch.div(length_U.clamp(min=LEAST) - FFT, HOP, rounding_mode="floor") + 1
        return torch.div(frames - WINDOW, STEP, rounding_mode="floor") + 1

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole sound; else which tokens are real, and from which second to which."""
        if self.pool == "mean":
            return Layout()
        length = features["length"]
        mask = self._mask(length, features["wave"].shape[1])
        start = torch.arange(mask.shape[1], device=length.device) * (STEP * HOP / RATE)
        seconds = (length / RATE).view(-1, 1, 1)
        return Layout(mask, torch.minimum(torch.stack([start, start + LEAST / RATE], dim=1), seconds))

    def _mask(self, length_U: Tensor, samples: int) -> Tensor:
        most = int(self._tokens(torch.tensor(samples)))
        return torch.arange(most, device=length_U.device) < self._tokens(length_U).unsqueeze(1)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        wave, length = features["wave"], features["length"]
        with torch.autocast(wave.device.type, enabled=False):
            bands = self._bands(F.pad(wave.float(), (0, max(0, LEAST - wave.shape[1]))), length)
        x = bands.to(next(self.layers.parameters()).dtype).unsqueeze(1)
        for place, (layer, (*_, pool)) in enumerate(zip(self.layers, LAYERS, strict=True)):
            x = layer(x)
            if place + 1 < len(LAYERS):
                x = F.leaky_relu(x, 0.2).clamp(min=-0.4)
            if pool is not None:
                x = F.max_pool2d(x, pool)
        x = x.squeeze(3).transpose(1, 2)  # [U, T, 96]
        mask = self._mask(length, wave.shape[1])
        if self.pool == "none":
            return Tokens(x, mask, self.layout(features).where)
        real = mask.unsqueeze(2)
        return Tokens.single((x * real).sum(dim=1) / real.sum(dim=1))

    def _bands(self, wave_UN: Tensor, length_U: Tensor) -> Tensor:
        """`[U, T, 32]` mel frames of 32 ms every 10 ms, in tens of decibels."""
        parts = F.conv1d(wave_UN.unsqueeze(1) * 32_768.0, self.waves, stride=HOP)  # as of 16-bit samples
        power = parts[:, : FFT // 2 + 1].square() + parts[:, FFT // 2 + 1 :].square()
        bands = 10.0 * (power.transpose(1, 2) @ self.mel).clamp(min=1e-10).log10()
        frames = torch.div(length_U.clamp(min=LEAST) - FFT, HOP, rounding_mode="floor") + 1
        real = torch.arange(bands.shape[1], device=bands.device) < frames.unsqueeze(1)
        loudest = bands.masked_fill(~real.unsqueeze(2), -torch.inf).amax(dim=(1, 2), keepdim=True)
        return torch.maximum(bands, loudest - 80.0) / 10.0 + 2.0
