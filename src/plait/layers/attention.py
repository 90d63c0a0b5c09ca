"""Multi-head attention with a padding mask: of a sequence to itself, and to another."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Visible:
    """What may be attended to in a context, made once where it is read many times.

    Args:
        mask: `[B, 1, 1 or T, S]`; None where everything is real.
        nothing: `[B, 1 or T, 1]` tokens that see nothing real, and take nothing; None where there is none.
    """

    mask: Tensor | None
    nothing: Tensor | None

    @classmethod
    def of(cls, mask: Tensor) -> "Visible":
        """Of `[B, S]`, what is real, or of `[B, T, S]`, what each token may see."""
        nothing = ~mask.any(dim=-1, keepdim=True)
        return cls(_visible(mask), nothing.unsqueeze(1) if mask.dim() == 2 else nothing)

    @classmethod
    def lean(cls, mask_BS: Tensor) -> "Visible":
        """The same, with None where nothing is masked: attention without a mask is faster. Looks at the values."""
        return cls(None, None) if bool(mask_BS.all()) else cls.of(mask_BS)


class SelfAttention(nn.Module):
    """Scaled dot-product self-attention (1706.03762) over real tokens only.

    A row without any real token attends to its padding, so that it stays finite; its output is meaningless and the
    mask says so.

    Args:
        dim: D of the tokens, a multiple of `heads`.
        heads: number of heads.
        dropout: share of attention weights dropped in training.

    Raises:
        ValueError: `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads(dim, heads)
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        rows, length, dim = x_BTD.shape
        qkv = self.qkv(x_BTD).view(rows, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, T, D / heads]
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=_visible(mask_BT),
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).reshape(rows, length, dim))


class CrossAttention(nn.Module):
    """Scaled dot-product attention of one sequence to the real tokens of another; zero where it has none.

    Args:
        dim: D of both sequences, a multiple of `heads`.
        heads: number of heads.
        dropout: share of attention weights dropped in training.

    Shapes: `[B, T, D]`, context `[B, S, D]` and its mask `[B, S]`, or `[B, T, S]` for each token → `[B, T, D]`.

    Raises:
        ValueError: `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads(dim, heads)
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor, context_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        return self.read(x_BTD, *self.keys_values(context_BSD), Visible.of(mask_BS))

    def keys_values(self, context_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a context, `[B, heads, S, D / heads]` each: made once where it is read many times."""
        rows, length, _ = context_BSD.shape
        key, value = self.key_value(context_BSD).view(rows, length, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        return key, value

    def read(self, x_BTD: Tensor, key: Tensor, value: Tensor, visible: Visible) -> Tensor:
        """What each token takes from a context of which keys and values are known."""
        rows, length, dim = x_BTD.shape
        query = self.query(x_BTD).view(rows, length, self.heads, -1).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=visible.mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        out = self.out(mixed.transpose(1, 2).reshape(rows, length, dim))
        return out if visible.nothing is None else out.masked_fill(visible.nothing, 0)

    def weights(self, x_BTD: Tensor, context_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """`[B, T, S]` how much each token takes from each of a context, the mean of the heads; rows sum to one."""
        rows, length, dim = x_BTD.shape
        query = self.query(x_BTD).view(rows, length, self.heads, -1).transpose(1, 2)
        key, _ = self.keys_values(context_BSD)
        scores = query @ key.transpose(2, 3) / (dim // self.heads) ** 0.5
        return scores.masked_fill(~_visible(mask_BS), float("-inf")).softmax(dim=3).mean(dim=1)


class CausalSelfAttention(nn.Module):
    """Self-attention in which a token sees those before it and itself (1706.03762).

    Args:
        dim: D of the tokens, a multiple of `heads`.
        heads: number of heads.
        dropout: share of attention weights dropped in training.

    Raises:
        ValueError: `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads(dim, heads)
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor) -> Tensor:
        rows, length, dim = x_BTD.shape
        query, key, value = self._parts(x_BTD)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(rows, length, dim))

    def step(self, x_BKD: Tensor, cache: Tensor, place: int, ancestors: Tensor | None) -> Tensor:
        """One more token of each of K hypotheses a row.

        Keys and values of all hypotheses of a row stand in one cache and stay where they were written; a mask says
        which of them a hypothesis descends from, so nothing is moved when beams change places.

        Args:
            x_BKD: the tokens.
            cache: `[2, B, heads, length * K, D / heads]`, written at `place`.
            place: tokens before this one.
            ancestors: `[B, K, (place + 1) * K]` bool; None where K is 1.
        """
        rows, many, dim = x_BKD.shape
        query, key, value = self._parts(x_BKD)
        here = slice(place * many, (place + 1) * many)
        cache[0, :, :, here], cache[1, :, :, here] = key, value
        seen = slice(0, (place + 1) * many)
        mask = None if ancestors is None else ancestors[:, None]
        mixed = F.scaled_dot_product_attention(query, cache[0, :, :, seen], cache[1, :, :, seen], attn_mask=mask)
        return self.out(mixed.transpose(1, 2).reshape(rows, many, dim))

    def _parts(self, x_BTD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, length, _ = x_BTD.shape
        query, key, value = self.qkv(x_BTD).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return query, key, value


def near(one_BT2: Tensor | None, other_BS2: Tensor | None, seconds: float) -> Tensor | None:
    """`[B, T, S]` whether two spans are at most so many seconds apart; None where one of them has no time.

    >>> import torch
    >>> near(torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[1.5, 2.0], [3.0, 4.0]]]), 0.5).tolist()
    [[[True, False]]]
    """
    if one_BT2 is None or other_BS2 is None or one_BT2.shape[2] != 2 or other_BS2.shape[2] != 2:
        return None
    start, end = one_BT2[..., None, 0], one_BT2[..., None, 1]
    other_start, other_end = other_BS2[:, None, :, 0], other_BS2[:, None, :, 1]
    apart = torch.maximum(other_start - end, start - other_end)
    return apart <= seconds + 1e-6


def _visible(mask: Tensor) -> Tensor:
    """`[B, 1, 1 or T, S]`: what may be attended to; where nothing is real all of it, so that no row is NaN."""
    seen = mask | ~mask.any(dim=-1, keepdim=True)
    return seen[:, None, None, :] if mask.dim() == 2 else seen.unsqueeze(1)


def _check_heads(dim: int, heads: int) -> None:
    if dim % heads:
        raise ValueError(f"the width {dim} is not a multiple of {heads} heads")
