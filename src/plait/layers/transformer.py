"""Transformer blocks: over one sequence, of one sequence reading another, and of one that grows as it reads."""

from torch import Tensor, nn

from plait.layers.attention import CausalSelfAttention, CrossAttention, SelfAttention, Visible
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


class CrossBlock(nn.Module):
    """Pre-norm attention to another sequence and MLP, each with a residual.

    Args:
        dim: D of both sequences.
        heads: attention heads.
        dropout: in attention, and after each part.
        expansion: width of the MLP over D.

    >>> import torch
    >>> block = CrossBlock(dim=8, heads=2)
    >>> block(torch.zeros(2, 3, 8), torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, expansion: int = 4) -> None:
        super().__init__()
        self.query_norm = nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim)
        self.attention = CrossAttention(dim, heads, dropout)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = MLP(dim, [expansion * dim], dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, context_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        read = self.attention(self.query_norm(x_BTD), self.context_norm(context_BSD), mask_BS)
        x_BTD = x_BTD + self.dropout(read)
        return x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))


class DecoderBlock(nn.Module):
    """Pre-norm causal self-attention, attention to a context, and MLP, each with a residual.

    Args:
        dim: D of the tokens and of the context.
        heads: attention heads.
        dropout: in attention, and after each part.
        expansion: width of the MLP over D.

    >>> import torch
    >>> block = DecoderBlock(dim=8, heads=2)
    >>> block(torch.zeros(2, 3, 8), torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, expansion: int = 4) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(dim)
        self.self_attention = CausalSelfAttention(dim, heads, dropout)
        self.cross_norm = nn.LayerNorm(dim)
        self.cross_attention = CrossAttention(dim, heads, dropout)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = MLP(dim, [expansion * dim], dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, context_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.self_attention(self.self_norm(x_BTD)))
        read = self.cross_attention(self.cross_norm(x_BTD), context_BSD, mask_BS)
        x_BTD = x_BTD + self.dropout(read)
        return x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))

    def step(
        self,
        x_BKD: Tensor,
        cache: Tensor,
        place: int,
        ancestors: Tensor | None,
        context: tuple[Tensor, Tensor],
        visible: Visible,
    ) -> Tensor:
        """One more token of each of K hypotheses a row; `context` holds the context's keys and values."""
        x_BKD = x_BKD + self.self_attention.step(self.self_norm(x_BKD), cache, place, ancestors)
        x_BKD = x_BKD + self.cross_attention.read(self.cross_norm(x_BKD), *context, visible)
        return x_BKD + self.mlp(self.mlp_norm(x_BKD))
