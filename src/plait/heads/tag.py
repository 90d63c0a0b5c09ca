"""An answer for each token of one input, such as tags of words, or of the fusion."""

import math

import torch
from torch import nn

from plait.layers import MLP, at_least_float32
from plait.types import Fused, Tokens


class TagHead(nn.Module):
    """An MLP over each token, joined with the fused vector, which brings in the other inputs.

    Args:
        name: the target.
        reads: the input whose tokens get answers; None for the fusion's own.
        token_dim: D of its tokens.
        fused_dim: H of the fused vector.
        out_dim: W, raw predictions a token.
        hidden: width of the hidden layer; 0 for a linear head.
        dropout: on the input and on the hidden layer.
        prior: probability that each answer begins with (1708.02002); None where they begin by chance. Where answers are
            rare, that alone would be learned first.

    Shapes: Fused with `[B, H]` and `parts[reads]` or `tokens` of `[B, T, D]` → target → Tokens `[B, T, W]`.

    >>> head = TagHead("tags", "words", token_dim=4, fused_dim=8, out_dim=3)
    >>> words = Tokens(torch.zeros(2, 5, 4), torch.ones(2, 5) > 0)
    >>> fused = Fused(torch.zeros(2, 8), lambda: None, parts={"words": words})
    >>> head(fused)["tags"].x.shape
    torch.Size([2, 5, 3])
    """

    def __init__(
        self,
        name: str,
        reads: str | None,
        token_dim: int,
        fused_dim: int,
        out_dim: int,
        hidden: int = 0,
        dropout: float = 0.0,
        prior: float | None = None,
    ) -> None:
        super().__init__()
        self.name, self.reads = name, reads
        self.norm = nn.LayerNorm(fused_dim)
        self.mlp = MLP(token_dim + fused_dim, [hidden] if hidden else [], out_dim, dropout)
        if prior is not None:
            last = [module for module in self.mlp.modules() if isinstance(module, nn.Linear)][-1]
            nn.init.constant_(last.bias, math.log(prior / (1 - prior)))
            nn.init.normal_(last.weight, std=0.01)

    def forward(self, fused: Fused) -> dict[str, Tokens]:
        tokens = fused.tokens if self.reads is None else fused.parts[self.reads]
        beside = self.norm(fused.pooled).unsqueeze(1).expand(-1, tokens.x.shape[1], -1)
        logits = self.mlp(torch.cat([tokens.x, beside.to(tokens.x.dtype)], dim=2))
        return {self.name: Tokens(at_least_float32(logits), tokens.mask)}
