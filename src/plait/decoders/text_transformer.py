"""A transformer that writes text with attention to the fused tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from plait.layers import DecoderBlock, Visible, small_batch_linear, use_fast_linear
from plait.types import Tokens


@dataclass
class TransformerState:
    """Keys and values of the tokens so far, by layer, and of the context; which beam descends from which."""

    caches: list[Tensor]
    context: list[tuple[Tensor, Tensor]]
    visible: Visible
    ancestors: Tensor | None  # [B, K, length * K] bool
    place: int = 0
    start: Tensor | None = None  # [B, 1, D], added to the beginning

    def select(self, parents_BK: Tensor) -> None:
        if self.ancestors is not None:
            many = parents_BK.shape[1]
            index = parents_BK[:, :, None].expand(-1, -1, self.ancestors.shape[2])
            self.ancestors = self.ancestors.gather(1, index)
            next_place = slice(self.place * many, (self.place + 1) * many)  # each hypothesis sees its own next token
            self.ancestors[:, :, next_place] = torch.eye(many, dtype=torch.bool, device=parents_BK.device)


class TextTransformer(nn.Module):
    """Masked self-attention over the text and cross-attention over the fused tokens (1706.03762, pre-norm).

    Differs from the paper in that the context's first token, which is the fused vector, is added to the beginning of
    the text: it is one among many tokens, and attention would learn late that it matters most.

    Args:
        vocab_size: tokens that it can write.
        begin, end: the tokens before the first and after the last.
        context_dim: H of the fused tokens.
        dim: width, a multiple of `heads`.
        layers: blocks.
        heads: attention heads.
        dropout: in the blocks and on the embedding.
        max_length: tokens of a text at most.
        expansion: width of the MLPs over `dim`.

    Shapes: Tokens `[B, S, H]`, ids `[B, L]` → logits `[B, L, V]`; those at i are of token i + 1.

    >>> decoder = TextTransformer(vocab_size=20, begin=0, end=1, context_dim=6, dim=8, layers=1, heads=2)
    >>> decoder(Tokens.single(torch.zeros(2, 6)), torch.zeros(2, 3, dtype=torch.int64)).shape
    torch.Size([2, 3, 20])
    """

    def __init__(
        self,
        vocab_size: int,
        begin: int,
        end: int,
        context_dim: int,
        dim: int = 256,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        max_length: int = 64,
        expansion: int = 4,
    ) -> None:
        super().__init__()
        self.begin_id, self.end, self.first = begin, end, [begin]
        self.max_length = max_length
        self.embedding = nn.Embedding(vocab_size, dim)
        self.positions = nn.Embedding(max_length, dim)
        self.project = nn.Linear(context_dim, dim) if context_dim != dim else nn.Identity()
        self.start = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(DecoderBlock(dim, heads, dropout, expansion) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        use_fast_linear(self.blocks)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions.weight, std=0.02)

    def forward(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        return self._logits(self._through(context, ids_BL)[0])

    def looks(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        """`[B, L, S]` the attention of each token to each fused token, in the mean of heads and layers."""
        return self._through(context, ids_BL, watch=True)[1]

    def _through(self, context: Tokens, ids_BL: Tensor, watch: bool = False) -> tuple[Tensor, Tensor]:
        places = torch.arange(ids_BL.shape[1], device=ids_BL.device)
        seen = self.project(context.x)
        x_BLD = self.embedding(ids_BL) + self.positions(places)
        first_BD = x_BLD[:, 0] + self._begins(seen, context.mask)
        x_BLD = self.dropout(torch.cat([first_BD[:, None], x_BLD[:, 1:]], dim=1))
        looked = []
        blocks: list[Any] = list(self.blocks)
        for block in blocks:
            if watch:
                after = x_BLD + block.self_attention(block.self_norm(x_BLD))
                looked.append(block.cross_attention.weights(block.cross_norm(after), seen, context.mask))
            x_BLD = block(x_BLD, seen, context.mask)
        return self.norm(x_BLD), torch.stack(looked).mean(dim=0) if looked else x_BLD

    def _begins(self, seen_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """`[B, D]` what is added to the begin token: a map of the context's first token, zero where a row has none."""
        start: Tensor = self.start(seen_BSD[:, 0])
        return start.masked_fill(~mask_BS[:, :1], 0)

    def _logits(self, x: Tensor) -> Tensor:
        return small_batch_linear(x, self.embedding.weight)

    def begin(self, context: Tokens, hypotheses: int, length: int) -> tuple[Tensor, TransformerState]:
        """Read the context; logits `[B, V]` of the first token, and room for `length` tokens of each hypothesis."""
        rows, device = len(context.x), context.x.device
        seen = self.project(context.x)
        blocks: list[Any] = list(self.blocks)
        dim = self.embedding.embedding_dim
        shape = (2, rows, blocks[0].self_attention.heads, length * hypotheses, dim // blocks[0].self_attention.heads)
        caches = [torch.empty(shape, dtype=seen.dtype, device=device) for _ in blocks]
        ancestors = None
        if hypotheses > 1:
            ancestors = torch.eye(hypotheses, dtype=torch.bool, device=device).repeat(rows, 1, length)
        projected = [block.cross_attention.keys_values(seen) for block in blocks]
        state = TransformerState(caches, projected, Visible.lean(context.mask), ancestors)
        state.start = self._begins(seen, context.mask)[:, None]
        start = torch.full((rows, hypotheses), self.begin_id, device=device)
        return self.step(start, state)[:, 0], state

    def step(self, ids_BK: Tensor, state: TransformerState) -> Tensor:
        """`[B, K, V]` logits after one more token of each hypothesis."""
        many = ids_BK.shape[1]
        x_BKD = self.embedding(ids_BK) + self.positions.weight[state.place]
        if state.place == 0 and state.start is not None:
            x_BKD = x_BKD + state.start
        ancestors = None if state.ancestors is None else state.ancestors[:, :, : (state.place + 1) * many]
        blocks: list[Any] = list(self.blocks)
        for block, cache, context in zip(blocks, state.caches, state.context, strict=True):
            x_BKD = block.step(x_BKD, cache, state.place, ancestors, context, state.visible)
        state.place += 1
        return self._logits(self.norm(x_BKD))
