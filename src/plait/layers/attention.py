"""Multi-head attention with a padding mask: of a sequence to itself, and to another."""

import torch.nn.functional as F
from torch import Tensor, nn


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

    Shapes: `[B, T, D]`, context `[B, S, D]` and its mask `[B, S]` → `[B, T, D]`.

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
        rows, length, dim = x_BTD.shape
        query = self.query(x_BTD).view(rows, length, self.heads, -1).transpose(1, 2)
        key_value = self.key_value(context_BSD).view(rows, context_BSD.shape[1], 2, self.heads, -1)
        key, value = key_value.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=_visible(mask_BS),
            dropout_p=self.dropout if self.training else 0.0,
        )
        out = self.out(mixed.transpose(1, 2).reshape(rows, length, dim))
        return out.masked_fill(~mask_BS.any(dim=1)[:, None, None], 0)


def _visible(mask_BS: Tensor) -> Tensor:
    """`[B, 1, 1, S]`: what may be attended to; where nothing is real all of it, so that no row is NaN."""
    return (mask_BS | ~mask_BS.any(dim=1, keepdim=True))[:, None, None, :]


def _check_heads(dim: int, heads: int) -> None:
    if dim % heads:
        raise ValueError(f"the width {dim} is not a multiple of {heads} heads")
