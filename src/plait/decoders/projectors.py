"""Projectors: from an encoder's tokens to tokens that a language model reads like words."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from plait.errors import DataError
from plait.fusion.perceiver import PerceiverFusion
from plait.types import Tokens


class TokenProjector(nn.Module):
    """Projects each token by itself, by a linear map or an MLP with one hidden layer (LLaVA 1.5, 2310.03744).

    Differs from LLaVA in a norm at the end, which brings tokens to the size of the model's words, so that the model
    can read them from the first step on.

    Args:
        in_dim: D of the tokens.
        dim: width of the model's words.
        scale: their standard deviation.
        hidden: whether there is a hidden layer.

    >>> import torch
    >>> TokenProjector(3, 8, 0.1)(Tokens.single(torch.randn(2, 3))).x.shape
    torch.Size([2, 1, 8])
    """

    def __init__(self, in_dim: int, dim: int, scale: float, hidden: bool = True) -> None:
        super().__init__()
        before = [nn.Linear(in_dim, dim), nn.GELU()] if hidden else []
        self.map = nn.Sequential(*before, nn.Linear(dim if hidden else in_dim, dim), word_norm(dim, scale))

    def forward(self, tokens: Tokens) -> Tokens:
        return Tokens(self.map(_zeroed(tokens)), tokens.mask, items=tokens.items)


class ShuffleProjector(nn.Module):
    """Joins neighbours in an image's grid into one token (pixel shuffle, 2404.16821), by a linear map.

    Args:
        in_dim, dim, scale: as in `TokenProjector`.
        by: neighbours a side; a grid whose side is not a multiple is filled up with zeros.

    Raises:
        DataError: a value's tokens do not form a square grid.

    >>> import torch
    >>> ShuffleProjector(3, 8, 0.1)(Tokens(torch.randn(1, 49, 3), torch.ones(1, 49, dtype=torch.bool))).x.shape
    torch.Size([1, 16, 8])
    """

    def __init__(self, in_dim: int, dim: int, scale: float, by: int = 2) -> None:
        super().__init__()
        if by < 2:
            raise ValueError(f"by: expected 2 neighbours a side or more, got {by}")
        self.by = by
        self.map = nn.Sequential(nn.Linear(in_dim * by * by, dim), word_norm(dim, scale))

    def forward(self, tokens: Tokens) -> Tokens:
        rows, length, width = tokens.x.shape
        each, by = length // tokens.items, self.by
        side = round(each**0.5)
        if side * side != each or side < by:
            raise DataError(
                f"projector pixel_shuffle: {each} tokens a value are no square grid of {by} x {by} or more; give the "
                "encoder tokens=all, or take another projector (mlp, resampler)"
            )
        more = -side % by
        x = _zeroed(tokens).view(rows * tokens.items, side, side, width)
        x = F.pad(x, (0, 0, 0, more, 0, more))
        small = (side + more) // by
        # `by` x `by` neighbours side by side in the last dimension.
        x = x.view(-1, small, by, small, by, width).permute(0, 1, 3, 2, 4, 5).reshape(rows, -1, by * by * width)
        real = tokens.mask.view(rows, tokens.items, each).any(dim=2)
        return Tokens(self.map(x), real.repeat_interleave(small * small, dim=1), items=tokens.items)


class Resampler(nn.Module):
    """A few learned queries read all tokens of a value (Flamingo 2204.14198; the Q-Former of 2301.12597).

    Args:
        in_dim, dim, scale: as in `TokenProjector`.
        latents: queries, which is how many tokens the model reads of each value.
        layers: rounds of reading, each followed by self-attention and an MLP.
        heads: of the attention; `dim` is a multiple of it.

    >>> import torch
    >>> Resampler(3, 8, 0.1, latents=4)(Tokens(torch.randn(1, 49, 3), torch.ones(1, 49, dtype=torch.bool))).x.shape
    torch.Size([1, 4, 8])
    """

    def __init__(self, in_dim: int, dim: int, scale: float, latents: int = 16, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.read = PerceiverFusion({"": in_dim}, dim, latents=latents, layers=layers, heads=heads)
        self.norm = word_norm(dim, scale)

    def forward(self, tokens: Tokens) -> Tokens:
        rows, length, width = tokens.x.shape
        each = length // tokens.items
        values = Tokens(tokens.x.reshape(-1, each, width), tokens.mask.reshape(-1, each))
        latents = self.norm(self.read({"": values}).tokens.x)
        real = values.present.view(rows, tokens.items).repeat_interleave(latents.shape[1], dim=1)
        return Tokens(latents.reshape(rows, -1, latents.shape[2]), real, items=tokens.items)


class AsItIs(nn.Module):
    """Passes tokens on that are in the model's word space already, as those of its own image encoder are."""

    def forward(self, tokens: Tokens) -> Tokens:
        return tokens


def word_norm(dim: int, scale: float) -> nn.LayerNorm:
    """A norm whose output has the standard deviation of a model's words."""
    norm = nn.LayerNorm(dim)
    nn.init.constant_(norm.weight, scale)
    return norm


def _zeroed(tokens: Tokens) -> Tensor:
    """Tokens with zeros as padding, which may hold anything, even NaN."""
    return tokens.x.masked_fill(~tokens.mask.unsqueeze(2), 0)


def _linear(in_dim: int, dim: int, scale: float) -> TokenProjector:
    return TokenProjector(in_dim, dim, scale, hidden=False)


def _mlp(in_dim: int, dim: int, scale: float) -> TokenProjector:
    return TokenProjector(in_dim, dim, scale)


PROJECTORS: dict[str, Callable[..., nn.Module]] = {
    "linear": _linear,
    "mlp": _mlp,
    "pixel_shuffle": ShuffleProjector,
    "resampler": Resampler,
}
