"""A small residual CNN over a series, trained from scratch."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.layers.masked_norm import MaskedBatchNorm
from plait.layers.packing import Packing
from plait.processors.series import SeriesProcessor
from plait.types import Tokens


class SeriesStage(nn.Module):
    """Convolve and halve, then refine with a residual (1611.06455 for series); what is empty stays empty."""

    def __init__(self, in_width: int, width: int, kernel: int) -> None:
        super().__init__()
        self.halve = nn.Conv1d(in_width, width, kernel, stride=2, padding=kernel // 2, bias=False)
        self.halve_norm = MaskedBatchNorm(width)
        self.refine = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.refine_norm = MaskedBatchNorm(width)

    def forward(self, x_UCT: Tensor, mask_UT: Tensor) -> tuple[Tensor, Tensor]:
        mask = mask_UT.view(len(mask_UT), -1, 2).any(dim=2)
        x = F.relu(self.halve_norm(self.halve(x_UCT), mask)) * mask.unsqueeze(1)
        return x + F.relu(self.refine_norm(self.refine(x), mask)) * mask.unsqueeze(1), mask


class SeriesCNN(nn.Module):
    """Each stage halves time. It reads values, which of them are there, and the time since the step before.

    Args:
        processor: prepares the series.
        widths: channels of the stages.
        dim: D of the tokens.
        kernel: steps that a stage sees at once, odd.
        noise: in training, deviation of noise on the values, over that of their channel.
        dropout: on the tokens.

    Shapes: `{"values": [U, T, C], "there": …, "times": …, "mask": …}` → Tokens `[U, T / 2**stages, dim]`, with their
    seconds since the start.

    Raises:
        ValueError: the kernel is even.
    """

    modality = "series"
    fit_processor = SeriesProcessor.fit
    eager_only = True

    def __init__(
        self,
        processor: SeriesProcessor,
        widths: Sequence[int] = (32, 64, 128),
        dim: int = 128,
        kernel: int = 7,
        noise: float = 0.05,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number of steps, got {kernel}")
        self.processor = processor
        self.out_dim = dim
        self.noise = noise
        self.step = 2 ** len(widths)
        self.reach = kernel // 2  # steps to either side that the last stage looks at, at half of its tokens' width
        channels = 2 * len(processor.means) + 1
        pairs = zip([channels, *widths[:-1]], widths, strict=True)
        self.stages = nn.ModuleList([SeriesStage(a, b, kernel) for a, b in pairs])
        self.project = nn.Linear(widths[-1], dim)
        self.dropout = nn.Dropout(dropout)
        self.gap = SeriesGap(processor.step)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which tokens hold steps, and from which second to which."""
        return patched_layout(features, self.step, self.processor.step)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        lengths = features["mask"].sum(dim=1).clamp(min=1).tolist()
        packing = Packing(lengths, self.step, self.step * max(1, -(-self.reach // 2)))
        there = features["there"]
        values = features["values"]
        if self.training and self.noise:
            values = values + self.noise * torch.randn_like(values) * there
        x = torch.cat([values, there.to(values.dtype), self.gap(features)], dim=2)
        x = packing.pack(x.to(self.project.weight.dtype)).transpose(1, 2)
        real = packing.mask().to(x.device)
        for stage in self.stages:
            x, real = stage(x, real)
        x = packing.unpack(self.dropout(self.project(x.transpose(1, 2))))
        mask, where = self.layout(features)
        assert mask is not None
        return Tokens(F.pad(x, (0, 0, 0, mask.shape[1] - x.shape[1])) * mask.unsqueeze(2), mask, where)


class SeriesGap(nn.Module):
    """The logarithm of the time since the step before, over the usual one; 0 for a usual step, and for the first.

    Shapes: `{"times": [U, T], "mask": …}` → `[U, T, 1]`.
    """

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        gaps = features["times"].diff(dim=1).clamp(min=0) / self.step
        logs = torch.log1p(gaps) - torch.log(torch.tensor(2.0))
        return (F.pad(logs, (1, 0)) * features["mask"]).unsqueeze(2)


def patched_layout(features: Mapping[str, Tensor], patch: int, step: float) -> Layout:
    """Tokens of `patch` steps each: real where one of them is, from the time of the first to that behind the last."""
    mask, times = features["mask"], features["times"]
    short = -mask.shape[1] % patch
    real = F.pad(mask, (0, short)).view(len(mask), -1, patch)
    padded = F.pad(times, (0, short)).view(len(mask), -1, patch)
    start = padded.masked_fill(~real, torch.inf).amin(dim=2)
    end = padded.masked_fill(~real, -torch.inf).amax(dim=2) + step
    tokens = real.any(dim=2)
    where = torch.stack([start, end], dim=2)
    return Layout(tokens, torch.where(tokens.unsqueeze(2), where, 0.0))
