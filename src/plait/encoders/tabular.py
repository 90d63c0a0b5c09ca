"""Numbers, categories and dates: each column a token."""

from typing import Literal

import torch
from torch import Tensor, nn

from plait.layers import TransformerBlock
from plait.processors import TabularProcessor
from plait.processors.tabular import UNKNOWN
from plait.types import Tokens


class PiecewiseLinear(nn.Module):
    """Which quantile bins a number has passed, and how far into the last (2203.05556, section 3.2).

    Args:
        edges: sorted bin edges of each number; the lists may differ in length.

    Shapes: `[B, N]` → `[B, N, bins]`.

    >>> PiecewiseLinear([[0.0, 1.0, 3.0]])(torch.tensor([[2.0]])).tolist()
    [[[1.0, 0.5]]]
    """

    left: Tensor
    width: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, edges: list[list[float]]) -> None:
        super().__init__()
        self.bins = max((len(values) - 1 for values in edges), default=1)
        left = torch.zeros(len(edges), self.bins)
        width = torch.full((len(edges), self.bins), torch.inf)  # a bin that a number does not have stays at 0
        # The first bin is open below and the last above, as in the paper; eight widths bound an outlier's effect.
        low, high = torch.zeros(len(edges), self.bins), torch.ones(len(edges), self.bins)
        for row, values in enumerate(edges):
            points = torch.tensor(values)
            count = len(values) - 1
            left[row, :count] = points[:-1]
            width[row, :count] = points[1:] - points[:-1]
            low[row, 0], high[row, count - 1] = -8, 8
        for name, buffer in (("left", left), ("width", width), ("low", low), ("high", high)):
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, x_BN: Tensor) -> Tensor:
        ratio = (x_BN.unsqueeze(-1) - self.left) / self.width
        return ratio.clamp(self.low, self.high)


class Periodic(nn.Module):
    """Sines and cosines of learned frequencies (2203.05556, section 3.3), of the standardised number.

    Args:
        count: N numbers.
        frequencies: frequencies a number.
        sigma: spread of the initial frequencies.

    Shapes: `[B, N]` → `[B, N, 2 * frequencies]`.
    """

    def __init__(self, count: int, frequencies: int = 16, sigma: float = 0.5) -> None:
        super().__init__()
        self.bins = 2 * frequencies
        self.frequency = nn.Parameter(torch.randn(count, frequencies) * sigma)

    def forward(self, x_BN: Tensor) -> Tensor:
        angle = 2 * torch.pi * self.frequency * x_BN.unsqueeze(-1)
        return torch.cat([angle.cos(), angle.sin()], dim=-1)


class TabularEncoder(nn.Module):
    """A token a column, then transformer blocks over the columns (FT-Transformer, 2106.11959).

    A number's token is a linear map of its embedding and of its standardised value; a category's token is a row of
    its own embedding table, whose first row stands for values that training never saw. A value that the row lacks
    has its mask at False. With `layers: 0` the columns meet in the fusion only.

    Args:
        processor: the scales, bin edges and vocabularies.
        dim: D of the tokens.
        numbers: embedding of numbers, `piecewise` or `periodic`.
        layers, heads, dropout: of the blocks over columns; their cost grows with the square of the columns.

    Shapes: `{"numbers": [B, N], "codes": [B, C]}` → Tokens `[B, N + C, dim]`.
    """

    modality = "tabular"
    fit_processor = TabularProcessor.fit
    mean: Tensor
    std: Tensor
    offsets: Tensor
    sizes: Tensor

    def __init__(
        self,
        processor: TabularProcessor,
        dim: int = 64,
        numbers: Literal["piecewise", "periodic"] = "piecewise",
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = dim
        names = processor.scalar_names
        stats = torch.tensor([processor.stats[name] for name in names]).view(len(names), 2)
        self.register_buffer("mean", stats[:, 0].clone(), persistent=False)
        self.register_buffer("std", stats[:, 1].clone(), persistent=False)
        piecewise = numbers == "piecewise"
        edges = [processor.edges[name] for name in names]
        self.embed_numbers = PiecewiseLinear(edges) if piecewise else Periodic(len(names))
        self.reads_raw = piecewise
        width = self.embed_numbers.bins + 1
        self.weight = nn.Parameter(torch.randn(len(names), width, dim) * width**-0.5)
        self.bias = nn.Parameter(torch.randn(len(names), dim) * dim**-0.5)
        counts = [len(values) + 1 for values in processor.categories.values()]  # + the unknown slot
        self.register_buffer("offsets", torch.tensor([0, *counts]).cumsum(0)[:-1], persistent=False)
        self.categories = nn.Embedding(max(1, sum(counts)), dim)
        nn.init.normal_(self.categories.weight, std=dim**-0.5)
        with torch.no_grad():  # never trained unless masked rows teach it, so it begins neutral
            self.categories.weight[self.offsets + UNKNOWN if counts else []] = 0
        self.blocks = nn.ModuleList([TransformerBlock(dim, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        numbers, codes = features["numbers"], features["codes"]
        known_BN = numbers.isfinite()
        scaled = ((numbers.nan_to_num() - self.mean) / self.std).masked_fill(~known_BN, 0).clamp(-10, 10)
        raw = torch.where(known_BN, numbers, self.mean)
        embedded = self.embed_numbers(raw if self.reads_raw else scaled)
        embedded = torch.cat([embedded, scaled.unsqueeze(-1)], dim=-1)  # [B, N, width]
        number_tokens = torch.einsum("bnw,nwd->bnd", embedded, self.weight) + self.bias
        category_tokens = self.categories(codes.clamp(min=0) + self.offsets)
        x = torch.cat([number_tokens, category_tokens.to(number_tokens.dtype)], dim=1)
        mask = torch.cat([known_BN, codes >= 0], dim=1)
        for block in self.blocks:
            x = block(x, mask)
        return Tokens(self.norm(x), mask)
