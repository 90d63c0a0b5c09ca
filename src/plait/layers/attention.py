"""Multi-head self-attention with a padding mask."""

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
        if dim % heads:
            raise ValueError(f"the width {dim} is not a multiple of {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        rows, length, dim = x_BTD.shape
        qkv = self.qkv(x_BTD).view(rows, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, T, D / heads]
        visible = mask_BT | ~mask_BT.any(dim=1, keepdim=True)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=visible[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).reshape(rows, length, dim))
