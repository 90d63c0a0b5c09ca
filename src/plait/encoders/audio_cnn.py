"""A small CNN over log-mel spectrograms, trained from scratch."""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.log_mel import LogMel
from plait.encoders.sound_augment import SoundAugment
from plait.layers.masked_norm import MaskedBatchNorm
from plait.layers.packing import Packing
from plait.processors.audio import AudioProcessor
from plait.types import Tokens


class AudioStage(nn.Module):
    """Convolve, halve time and frequency, then refine with a residual (1512.03385); padding stays silent."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(in_width, width, 3, stride=2, padding=1, bias=False)
        self.halve_norm = MaskedBatchNorm(width)
        self.refine = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.refine_norm = MaskedBatchNorm(width)

    def forward(self, x_UCTM: Tensor, mask_UT: Tensor) -> tuple[Tensor, Tensor]:
        mask = halved(mask_UT)
        x = F.relu(self.halve_norm(self.halve(x_UCTM), mask)) * mask[:, None, :, None]
        return x + F.relu(self.refine_norm(self.refine(x), mask)) * mask[:, None, :, None], mask


class AudioCNN(nn.Module):
    """Right for effects, alarms, words and short scenes; each stage halves time and frequency.

    Short sounds of a batch lie side by side in the rows of long ones, so that little is padding.

    Args:
        processor: prepares the sounds.
        widths: channels of the stages.
        dim: D of the tokens.
        mels: bands, a multiple of `2 ** len(widths)`.
        shift, gain, noise, time_mask, freq_mask: augmentation, see `SoundAugment`.
        dropout: on the tokens.

    Shapes: `{"wave": [U, N], "length": [U]}` → Tokens `[U, T, dim]`, one every `2 ** len(widths)` frames of 10 ms, with
    their seconds.

    Raises:
        ValueError: the stages can't halve the bands.

    >>> import torch
    >>> encoder = AudioCNN(AudioProcessor(), widths=[4, 8], dim=16)
    >>> encoder({"wave": torch.zeros(2, 16_000), "length": torch.tensor([16_000, 800])}).mask.sum(dim=1).tolist()
    [26, 2]
    """

    modality = "audio"
    fit_processor = AudioProcessor.fit
    eager_only = True

    def __init__(
        self,
        processor: AudioProcessor,
        widths: Sequence[int] = (32, 64, 96, 128),
        dim: int = 128,
        mels: int = 64,
        shift: float = 0.0,
        gain: float = 6.0,
        noise: float = 0.0,
        time_mask: float = 0.1,
        freq_mask: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.step = 2 ** len(widths)
        if mels % self.step:
            raise ValueError(f"{len(widths)} stages need a multiple of {self.step} mel bands, got {mels}")
        self.processor = processor
        self.out_dim = dim
        self.log_mel = LogMel(processor, mels, SoundAugment(shift, gain, noise, time_mask, freq_mask))
        self.stages = nn.ModuleList([AudioStage(a, b) for a, b in zip([1, *widths[:-1]], widths, strict=True)])
        self.project = nn.Linear(widths[-1] * mels // self.step, dim)
        self.dropout = nn.Dropout(dropout)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which tokens hold sound, and from which second to which."""
        length = features["length"]
        mask = self._padded(self.log_mel.mask(length, features["wave"].shape[1]))
        for _ in self.stages:
            mask = halved(mask)
        return Layout(mask, self.log_mel.where(length, mask.shape[1], self.step))

    def _padded(self, mask_UT: Tensor) -> Tensor:
        return F.pad(mask_UT, (0, -mask_UT.shape[1] % self.step))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        frames, mask = self.log_mel(features)
        packing = Packing(mask.sum(dim=1).tolist(), self.step)
        x = packing.pack(frames.to(self.project.weight.dtype)).unsqueeze(1)
        real = packing.mask().to(x.device)
        for stage in self.stages:
            x, real = stage(x, real)
        x = packing.unpack(self.dropout(self.project(x.permute(0, 2, 1, 3).flatten(2))))
        mask, where = self.layout(features)
        assert mask is not None
        return Tokens(F.pad(x, (0, 0, 0, mask.shape[1] - x.shape[1])), mask, where)


def halved(mask_UT: Tensor) -> Tensor:
    """Of each pair of steps: one is real."""
    return mask_UT.view(len(mask_UT), -1, 2).any(dim=2)
