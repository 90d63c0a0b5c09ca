"""A transformer encoder block."""

from torch import Tensor, nn

from plait.layers.attention import SelfAttention
from plait.layers.mlp import MLP


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and MLP, each with a residual (2002.04745).

    Args:
        dim: D of the tokens.
        heads: attention heads.
        dropout: in attention, and after each part.
        expansion: width of the MLP over D.

    >>> import torch
    >>> block = TransformerBlock(dim=8, heads=2)
    >>> block(torch.zeros(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, expansion: int = 4) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads, dropout)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = MLP(dim, [expansion * dim], dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), mask_BT))
        return x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))
