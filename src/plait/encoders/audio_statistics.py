"""Statistics of log-mel frames: the cheap vector of a sound, with nothing to train."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.log_mel import LogMel
from plait.processors.audio import AudioProcessor
from plait.types import Tokens


class AudioStatistics(nn.Module):
    """Mean, deviation, largest value and mean change of each mel band over a sound, and the logarithm of its length.

    What linear models and trees read of sounds where no pretrained encoder is installed, and the bar for those that
    are. It has nothing that trains.

    Args:
        processor: prepares the sounds.
        mels: bands.

    Shapes: `{"wave": [U, N], "length": [U]}` → Tokens `[U, 1, 4 * mels + 1]`.

    >>> encoder = AudioStatistics(AudioProcessor(), mels=32)
    >>> encoder({"wave": torch.zeros(2, 16_000), "length": torch.tensor([16_000, 800])}).x.shape
    torch.Size([2, 1, 129])
    """

    modality = "audio"
    fit_processor = AudioProcessor.fit
    eager_only = True
    fixed = True

    def __init__(self, processor: AudioProcessor, mels: int = 64) -> None:
        super().__init__()
        self.processor = processor
        self.log_mel = LogMel(processor, mels)
        self.mels = mels
        self.out_dim = 4 * mels + 1

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole sound."""
        return Layout()

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        frames, mask = self.log_mel(features)
        real = mask.unsqueeze(2)
        count = real.sum(dim=1)
        mean = (frames * real).sum(dim=1) / count
        spread = (((frames - mean.unsqueeze(1)) * real).square().sum(dim=1) / count).sqrt()
        largest = frames.masked_fill(~real, -torch.inf).amax(dim=1)
        change = (frames.diff(dim=1).abs() * real[:, 1:]).sum(dim=1) / (count - 1).clamp(min=1)
        seconds = (features["length"] / self.processor.rate).clamp(min=1e-3).log().unsqueeze(1)
        return Tokens.single(torch.cat([mean, spread, largest, change, seconds], dim=1))
