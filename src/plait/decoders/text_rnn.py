"""A GRU or LSTM that writes text and attends to the fused tokens at each step."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from plait.layers.small_batch_linear import small_batch_linear
from plait.types import Tokens


@dataclass
class RNNState:
    """The cells of each hypothesis, `[B * K, D]`, and the context with its keys."""

    hidden: tuple[Tensor, ...]
    context: Tokens
    keys: Tensor

    def select(self, parents_BK: Tensor) -> None:
        rows, many = parents_BK.shape
        flat = (parents_BK + torch.arange(rows, device=parents_BK.device)[:, None] * many).flatten()
        self.hidden = tuple(cell.index_select(0, flat) for cell in self.hidden)


class TextRNN(nn.Module):
    """A recurrent decoder with attention over the fused tokens (1502.03044, soft attention; scores as in 1409.0473).

    The state begins as a map of the context's first token, the fused vector (in the paper, of the mean of all). At each
    step the last state attends to the tokens; the result and the last word make the next state, and all three together
    predict the next word. Differs from the paper in a layer norm on the state, and in none on the gate over the
    context.

    Args:
        vocab_size: tokens that it can write.
        begin, end: the tokens before the first and after the last.
        context_dim: H of the fused tokens.
        cell: `gru` or `lstm`.
        dim: width of the state and the embedding.
        dropout: on the embedding and before the words.
        max_length: tokens of a text at most.

    Shapes: Tokens `[B, S, H]`, ids `[B, L]` → logits `[B, L, V]`; those at i are of token i + 1.

    >>> decoder = TextRNN(vocab_size=20, begin=0, end=1, context_dim=6, dim=8)
    >>> decoder(Tokens.single(torch.zeros(2, 6)), torch.zeros(2, 3, dtype=torch.int64)).shape
    torch.Size([2, 3, 20])
    """

    def __init__(
        self,
        vocab_size: int,
        begin: int,
        end: int,
        context_dim: int,
        cell: Literal["gru", "lstm"] = "gru",
        dim: int = 256,
        dropout: float = 0.3,
        max_length: int = 64,
    ) -> None:
        super().__init__()
        if cell not in ("gru", "lstm"):
            raise ValueError(f"cell: expected gru or lstm, got {cell!r}")
        self.begin_id, self.end, self.first = begin, end, [begin]
        self.max_length = max_length
        self.embedding = nn.Embedding(vocab_size, dim)
        self.start = nn.Linear(context_dim, 2 * dim if cell == "lstm" else dim)
        self.key, self.ask, self.score = nn.Linear(context_dim, dim), nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.gate = nn.Linear(dim, context_dim)
        cell_class = nn.LSTMCell if cell == "lstm" else nn.GRUCell
        self.cell = cell_class(dim + context_dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.Linear(2 * dim + context_dim, dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=0.05)

    def forward(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        return self._through(context, ids_BL)[0]

    def looks(self, context: Tokens, ids_BL: Tensor) -> Tensor:
        """`[B, L, S]` the attention of each word to each fused token; rows sum to one."""
        return self._through(context, ids_BL)[1]

    def _through(self, context: Tokens, ids_BL: Tensor) -> tuple[Tensor, Tensor]:
        state = self._state(context, 1)
        words = self.dropout(self.embedding(ids_BL))
        outputs, looked = [], []
        for place in range(ids_BL.shape[1]):
            out, weights = self._next(words[:, place : place + 1], state)
            outputs.append(out)
            looked.append(weights)
        return self._logits(torch.cat(outputs, dim=1)), torch.cat(looked, dim=1)

    def _state(self, context: Tokens, hypotheses: int) -> RNNState:
        first = context.x[:, 0].masked_fill(~context.mask[:, :1], 0)
        hidden = torch.tanh(self.start(first)).repeat_interleave(hypotheses, dim=0)
        return RNNState(hidden.split(self.norm.normalized_shape[0], dim=1), context, self.key(context.x))

    def _next(self, words_BKD: Tensor, state: RNNState) -> tuple[Tensor, Tensor]:
        """`[B, K, D]` the features of the next word, and `[B, K, S]` the attention; changes the state."""
        rows, many, dim = words_BKD.shape
        last = self.norm(state.hidden[0]).view(rows, many, dim)
        energy = self.score(torch.tanh(state.keys[:, None] + self.ask(last)[:, :, None]))[..., 0]
        seen = state.context.mask | ~state.context.present[:, None]  # of a context without tokens, its zeros
        weights_BKS = energy.masked_fill(~seen[:, None], float("-inf")).softmax(dim=2)
        real = state.context.x.masked_fill(~state.context.mask[..., None], 0)
        attended = torch.sigmoid(self.gate(last)) * (weights_BKS @ real)
        joined = torch.cat([words_BKD, attended], dim=2).flatten(0, 1)
        if isinstance(self.cell, nn.LSTMCell):
            hidden = state.hidden
            state.hidden = self.cell(joined, (hidden[0], hidden[1]))
        else:
            state.hidden = (self.cell(joined, state.hidden[0]),)
        now = self.norm(state.hidden[0]).view(rows, many, dim)
        return torch.tanh(self.mix(torch.cat([now, words_BKD, attended], dim=2))), weights_BKS

    def _logits(self, x: Tensor) -> Tensor:
        return small_batch_linear(self.dropout(x), self.embedding.weight)

    def begin(self, context: Tokens, hypotheses: int, length: int) -> tuple[Tensor, RNNState]:
        """Read the context; logits `[B, V]` of the first token, and the state of each hypothesis."""
        state = self._state(context, hypotheses)
        start = torch.full((len(context.x), hypotheses), self.begin_id, device=context.x.device)
        return self.step(start, state)[:, 0], state

    def step(self, ids_BK: Tensor, state: RNNState) -> Tensor:
        """`[B, K, V]` logits after one more token of each hypothesis."""
        return self._logits(self._next(self.embedding(ids_BK), state)[0])
