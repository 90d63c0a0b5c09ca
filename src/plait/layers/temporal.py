"""Modules that read tokens in the order of time: what stands between frames and what a video says."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from plait.layers.pooling import masked_mean
from plait.layers.positions import PlaceEmbedding
from plait.layers.transformer import TransformerBlock
from plait.types import Tokens


class TemporalTransformer(nn.Module):
    """A transformer over tokens at their true times (1706.03762).

    Args:
        in_dim: D of the tokens.
        dim: of those that it gives.
        layers, heads, dropout: of the transformer.

    Shapes: Tokens `[U, T, in_dim]` → `[U, T, dim]`.

    >>> import torch
    >>> TemporalTransformer(8, dim=16)(Tokens.single(torch.zeros(2, 8))).x.shape
    torch.Size([2, 1, 16])
    """

    def __init__(self, in_dim: int, dim: int = 128, layers: int = 2, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.out_dim = dim
        self.scale = nn.LayerNorm(in_dim)  # encoders differ much in how large their outputs are
        self.project = nn.Linear(in_dim, dim)
        self.place = PlaceEmbedding(dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([TransformerBlock(dim, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tokens) -> Tokens:
        x = self.project(self.scale(tokens.x.to(self.project.weight.dtype)))
        x = self.dropout(x + self.place(tokens.where))
        layers = []
        for block in self.blocks:
            x = block(x, tokens.mask)
            layers.append(x)
        x = self.norm(x)
        return Tokens(x, tokens.mask, tokens.where, (*layers[:-1], x) if len(layers) > 1 else (), tokens.items)


class TemporalGRU(nn.Module):
    """A bidirectional GRU (1406.1078) over tokens in their order; padding is packed away.

    Args:
        in_dim: D of the tokens.
        dim: of those that it gives, half from each direction, so even.
        layers, dropout: of the GRU.

    Shapes: Tokens `[U, T, in_dim]` → `[U, T, dim]`.

    Raises:
        ValueError: `dim` is odd.
    """

    def __init__(self, in_dim: int, dim: int = 128, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"two directions need an even width, got {dim}")
        self.out_dim = dim
        self.scale = nn.LayerNorm(in_dim)
        self.place = PlaceEmbedding(in_dim)
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.rnn = nn.GRU(in_dim, dim // 2, layers, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, tokens: Tokens) -> Tokens:
        # Real tokens come first: of rows with several videos, or without one, the gaps are closed and opened again.
        order = (~tokens.mask).long().argsort(dim=1, stable=True)
        x = self.dropout(self.scale(tokens.x.to(self.place.weight.dtype)) + self.place(tokens.where))
        x = x.gather(1, order.unsqueeze(2).expand_as(x))
        lengths = tokens.mask.sum(dim=1).clamp(min=1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        x = x.gather(1, order.argsort(dim=1).unsqueeze(2).expand_as(x))
        return Tokens(x.masked_fill(~tokens.mask.unsqueeze(2), 0), tokens.mask, tokens.where, (), tokens.items)


class TemporalMean(nn.Module):
    """The mean of the tokens, whatever their order; nothing in it trains.

    Args:
        in_dim: D of the tokens, and of their mean.

    Shapes: Tokens `[U, T, in_dim]` → `[U, 1, in_dim]`.
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.out_dim = in_dim

    def forward(self, tokens: Tokens) -> Tokens:
        x: Tensor = masked_mean(tokens)
        return Tokens.single(x, tokens.present)


def temporal_maker(name: str, in_dim: int, **shape: float | None) -> Callable[[], Any]:
    """What makes a module of `TEMPORAL`; called again it gives another one, untrained.

    Args:
        name: of the module.
        in_dim: D of the tokens that it reads.
        shape: its settings; None for its own default.

    Raises:
        ValueError: there is no such module, or it does not read a setting.

    >>> temporal_maker("gru", 8, dim=16, heads=4)
    Traceback (most recent call last):
        ...
    ValueError: gru reads no heads; leave it out, or take transformer
    """
    if name not in TEMPORAL:
        raise ValueError(f"temporal: expected {', '.join(TEMPORAL)}, got {name!r}")
    given = {key: value for key, value in shape.items() if value is not None}
    takes = inspect.signature(TEMPORAL[name]).parameters
    unread = next((key for key in given if key not in takes), None)
    if unread is not None:
        readers = [other for other, made in TEMPORAL.items() if unread in inspect.signature(made).parameters]
        raise ValueError(f"{name} reads no {unread}; leave it out, or take {' or '.join(readers)}")
    return partial(TEMPORAL[name], in_dim, **given)


TEMPORAL: dict[str, Callable[..., Any]] = {
    "transformer": TemporalTransformer,
    "gru": TemporalGRU,
    "mean": TemporalMean,
}
