"""A small transformer over patches of a series, trained from scratch."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.series_cnn import SeriesGap, patched_layout
from plait.layers import TransformerBlock
from plait.layers.positions import PlaceEmbedding
from plait.processors.series import SeriesProcessor
from plait.types import Tokens


class SeriesTransformer(nn.Module):
    """Patches of neighbouring steps as tokens (PatchTST, 2211.14730), with their true times.

    It differs from the paper in that a patch holds all channels, which values are there and how far the steps lie
    apart, and that its place is its seconds, so that irregular series and gaps are seen as they are.

    Args:
        processor: prepares the series.
        dim: D of the tokens, a multiple of `heads`.
        layers, heads, dropout: of the transformer.
        patch: steps a token.
        normalise: take each series' own mean out of it and divide by its deviation, which are given as a token of their
            own (as RevIN does): for series whose level says nothing.
        noise: in training, deviation of noise on the values, over that of their channel.

    Shapes: `{"values": [U, T, C], "there": …, "times": …, "mask": …}` → Tokens `[U, T / patch, dim]`, with their
    seconds since the start.
    """

    modality = "series"
    fit_processor = SeriesProcessor.fit
    eager_only = True

    def __init__(
        self,
        processor: SeriesProcessor,
        dim: int = 128,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        patch: int = 8,
        normalise: bool = False,
        noise: float = 0.05,
    ) -> None:
        super().__init__()
        if patch < 1:
            raise ValueError(f"patch: expected one step at least, got {patch}")
        self.processor = processor
        self.out_dim = dim
        self.patch = patch
        self.normalise, self.noise = normalise, noise
        channels = len(processor.means)
        self.gap = SeriesGap(processor.step)
        self.embed = nn.Linear(patch * (2 * channels + 1), dim)
        self.level = nn.Linear(2 * channels, dim) if normalise else None
        self.place = PlaceEmbedding(dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([TransformerBlock(dim, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which tokens hold steps, and from which second to which."""
        return patched_layout(features, self.patch, self.processor.step)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        values, there = features["values"], features["there"]
        levels = None
        if self.level is not None:
            count = there.sum(dim=1).clamp(min=1)
            mean = values.sum(dim=1) / count
            values = (values - mean.unsqueeze(1)) * there
            deviation = (values.square().sum(dim=1) / count + 1e-5).sqrt()
            values = values / deviation.unsqueeze(1)
            levels = self.level(torch.cat([mean, deviation.log()], dim=1).to(self.embed.weight.dtype))
        if self.training and self.noise:
            values = values + self.noise * torch.randn_like(values) * there
        x = torch.cat([values, there.to(values.dtype), self.gap(features)], dim=2)
        x = F.pad(x, (0, 0, 0, -x.shape[1] % self.patch))
        x = self.embed(x.reshape(len(x), -1, self.patch * x.shape[2]).to(self.embed.weight.dtype))
        mask, where = self.layout(features)
        assert mask is not None and where is not None
        x = x + self.place(where / self.processor.step)
        if levels is not None:
            x = x + levels.unsqueeze(1)
        x = self.dropout(x)
        layers = []
        for block in self.blocks:
            x = block(x, mask)
            layers.append(x)
        x = self.norm(x)
        return Tokens(x, mask, where, (*layers[:-1], x))
