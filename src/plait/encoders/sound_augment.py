"""Random changes to sounds in training: on the batch's tensors, so that decoded sounds can be kept."""

import torch
from torch import Tensor, nn

from plait.processors.spectrum import frames_of


class SoundAugment(nn.Module):
    """Shift, louder or quieter, noise, and bands of time and frequency masked; nothing in evaluation.

    Args:
        shift: seconds that a sound is moved by at most, round its end.
        gain: decibels that it becomes louder or quieter by, at most.
        noise: white noise, at most this share of a sound's own root mean square.
        time_mask: share of its length that a masked stretch may have (SpecAugment, 1904.08779); 0 for none.
        freq_mask: mel bands that a masked band may have; 0 for none.

    >>> augment = SoundAugment(gain=6.0)
    >>> augment.eval().waves(torch.ones(1, 4), torch.tensor([4]), 16_000).tolist()
    [[1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        shift: float = 0.0,
        gain: float = 0.0,
        noise: float = 0.0,
        time_mask: float = 0.0,
        freq_mask: int = 0,
    ) -> None:
        super().__init__()
        self.shift, self.gain, self.noise = shift, gain, noise
        self.time_mask, self.freq_mask = time_mask, freq_mask

    def waves(self, wave_UN: Tensor, length_U: Tensor, rate: int) -> Tensor:
        """`[U, N]` samples → the same number of samples, padding still silent."""
        if not self.training or not (self.shift or self.gain or self.noise):
            return wave_UN
        device, places = wave_UN.device, torch.arange(wave_UN.shape[1], device=wave_UN.device)
        lengths = length_U.to(device).unsqueeze(1)
        real = places < lengths
        if self.shift:
            moved = (self.shift * rate * (2 * torch.rand(len(wave_UN), 1, device=device) - 1)).long()
            wave_UN = torch.where(real, wave_UN.gather(1, (places - moved) % lengths.clamp(min=1)), 0)
        if self.noise:
            level = (wave_UN.square().sum(1, keepdim=True) / lengths.clamp(min=1)).sqrt()
            share = self.noise * torch.rand(len(wave_UN), 1, device=device)
            wave_UN = torch.where(real, wave_UN + share * level * torch.randn_like(wave_UN), 0)
        if self.gain:
            decibels = self.gain * (2 * torch.rand(len(wave_UN), 1, device=device) - 1)
            wave_UN = wave_UN * 10 ** (decibels / 20)
        return wave_UN

    def bands(self, x_UTM: Tensor, length_U: Tensor, hop: int) -> Tensor:
        """`[U, T, M]` normalised log-mel frames with one stretch and one band each set to 0, the usual loudness."""
        if not self.training or not (self.time_mask or self.freq_mask):
            return x_UTM
        count, frames, mels = x_UTM.shape
        device = x_UTM.device
        hidden = torch.zeros(count, frames, mels, dtype=torch.bool, device=device)
        if self.time_mask:
            real = frames_of(length_U, hop).to(device).float().unsqueeze(1)
            hidden |= _stretch(real * self.time_mask, real, frames, device).unsqueeze(2)
        if self.freq_mask:
            widths = torch.full((count, 1), float(min(self.freq_mask, mels)), device=device)
            hidden |= _stretch(widths, torch.full_like(widths, mels), mels, device).unsqueeze(1)
        return x_UTM.masked_fill(hidden, 0.0)


def _stretch(most_U1: Tensor, whole_U1: Tensor, length: int, device: torch.device) -> Tensor:
    """`[U, length]` True in one stretch of up to `most` steps, uniformly drawn, within the first `whole`."""
    width = (most_U1 * torch.rand(len(most_U1), 1, device=device)).round()
    start = (whole_U1 - width).clamp(min=0) * torch.rand(len(most_U1), 1, device=device)
    places = torch.arange(length, device=device)
    return (places >= start) & (places < start + width)
