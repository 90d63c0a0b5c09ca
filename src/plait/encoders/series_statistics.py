"""Statistics of each channel of a series, with nothing to train."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.processors.series import SeriesProcessor
from plait.types import Tokens

STATISTICS, BANDS = 13, 9
QUARTILES = (0.25, 0.5, 0.75)


class SeriesStatistics(nn.Module):
    """Of each channel mean, deviation, least, largest, quartiles, mean and deviation of the change from step to step,
    slope over time, how alike neighbours are, how often it crosses its mean, the share that is there, and the
    logarithms of the shares of its energy in nine octaves, the highest up to half a turn a step; and the logarithm of
    the length.

    What linear models and trees read of series, and the bar for other encoders. It has nothing that trains.

    Args:
        processor: prepares the series.

    Shapes: `{"values": [U, T, C], "there": …, "times": …, "mask": …}` → Tokens `[U, 1, 22 C + 1]`.
    """

    modality = "series"
    fit_processor = SeriesProcessor.fit
    fixed = True

    def __init__(self, processor: SeriesProcessor) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = (STATISTICS + BANDS) * len(processor.means) + 1

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole series."""
        return Layout()

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        x, there, times = features["values"], features["there"], features["times"]
        count = there.sum(dim=1)
        some = count.clamp(min=1)
        mean = x.sum(dim=1) / some  # what is not there is zero
        away = (x - mean.unsqueeze(1)) * there
        variance = away.square().sum(dim=1) / some
        nan = x.masked_fill(~there, torch.nan)
        quartiles = torch.nanquantile(nan, torch.tensor(QUARTILES, device=x.device), dim=1)
        both = there[:, 1:] & there[:, :-1]
        pairs = both.sum(dim=1).clamp(min=1)
        change = x.diff(dim=1) * both
        mean_change = change.abs().sum(dim=1) / pairs
        squares, mean_squared = change.square().sum(dim=1) / pairs, (change.sum(dim=1) / pairs).square()
        spread_change = (squares - mean_squared).clamp(min=0).sqrt()
        seconds = (times / self.processor.step).unsqueeze(2) * there
        middle = seconds.sum(dim=1) / some
        from_middle = (seconds - middle.unsqueeze(1)) * there
        slope = (from_middle * away).sum(dim=1) / from_middle.square().sum(dim=1).clamp(min=1e-9)
        alike = (away[:, 1:] * away[:, :-1] * both).sum(dim=1) / (pairs * variance.clamp(min=1e-9))
        crossings = ((away[:, 1:] * away[:, :-1] < 0) & both).sum(dim=1) / pairs
        length = features["mask"].sum(dim=1, keepdim=True)
        parts = [
            *(mean, variance.sqrt(), x.masked_fill(~there, torch.inf).amin(dim=1)),
            *(x.masked_fill(~there, -torch.inf).amax(dim=1), *quartiles),
            *(mean_change, spread_change, slope * length, alike, crossings, count / length.clamp(min=1)),
        ]
        lengths = features["mask"].sum(dim=1).tolist()
        octaves = torch.stack([_octaves(one[: max(1, int(n))]) for one, n in zip(away, lengths, strict=True)])
        parts += octaves.unbind(dim=1)
        known = (count > 0).repeat(1, STATISTICS + BANDS)
        statistics = torch.cat(parts, dim=1)
        return Tokens.single(torch.cat([torch.where(known, statistics, 0.0), length.log()], dim=1))


def _octaves(away_TC: Tensor) -> Tensor:
    """`[9, C]` logarithms of the shares of energy in octaves, low to high, of what lies around zero."""
    window = torch.hann_window(len(away_TC), periodic=False, device=away_TC.device).clamp(min=1e-3).unsqueeze(1)
    energy = torch.fft.rfft(away_TC.float() * window, dim=0).abs().square()
    frequency = torch.linspace(0, 1, len(energy), device=away_TC.device) if len(energy) > 1 else torch.zeros(1)
    band = (BANDS - 1 + frequency.clamp(min=2.0**-BANDS).log2().ceil()).clamp(min=0).long()
    sums = torch.zeros(BANDS, energy.shape[1], device=away_TC.device).index_add(0, band.to(away_TC.device), energy)
    return (sums / sums.sum(dim=0).clamp(min=1e-12) + 1e-6).log()
