"""How well two recordings fit at each lag: which of them is late, and by how much."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.alignment.temporal import segments, tick_count, timed
from plait.layers import MLP, masked_mean
from plait.types import Fused, Tokens


class LagFusion(nn.Module):
    """A score for each lag of one recording behind another, and for none of them (1809.08001, SyncNet's successor).

    Both are pooled to ticks of one clock and embedded; the score of a lag adds up how alike a tick is to the one so
    much later. Where nothing happens an embedding may be small, and counts for little: unlike the paper's, embeddings
    have no fixed length, and a score is learned for recordings which do not belong together, or lie further apart. A
    small network over all scores adds what they say together: how usual a delay is, and that one which fits a little
    may rule out another which fits more.

    Args:
        in_dims: input → D, of both.
        pair: the input that is looked from, and the one that may be late.
        out_dim: H of the embeddings.
        clock: seconds of a tick.
        lags: K, ticks that the second may be late or early at most.
        dropout: on the embeddings' hidden layer.

    Shapes: Tokens `[B, T, D]` of both → `Fused` with `[B, 2 K + 2]` logits: lags from -K to K, then none. In rows that
    lack one of both all are 0.

    >>> fusion = LagFusion({"clip": 4, "sound": 6}, ("clip", "sound"), 8, clock=0.5, lags=2)
    >>> where = torch.tensor([[[0.0, 0.5], [0.5, 1.0], [1.0, 1.5]]])
    >>> mask = torch.ones(1, 3, dtype=torch.bool)
    >>> clip, sound = (Tokens(torch.randn(1, 3, dim), mask, where) for dim in (4, 6))
    >>> fusion({"clip": clip, "sound": sound}).pooled.shape
    torch.Size([1, 6])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        pair: tuple[str, str],
        out_dim: int,
        clock: float,
        lags: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pair, self.clock, self.lags = tuple(pair), clock, lags
        self.norms = nn.ModuleList(nn.LayerNorm(in_dims[name]) for name in pair)
        self.embed = nn.ModuleList(MLP(in_dims[name], [out_dim], out_dim, dropout) for name in pair)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.none = nn.Parameter(torch.zeros(1))
        self.together = MLP(2 * lags + 1, [out_dim], 2 * lags + 2, dropout)
        last = [module for module in self.together.modules() if isinstance(module, nn.Linear)][-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        first, second = (tokens[name] for name in self.pair)
        count = tick_count((first, second), self.clock)
        ticks = []
        for given, norm, embed in zip((first, second), self.norms, self.embed, strict=True):
            at = segments(timed(given), self.clock, count)
            ticks.append(Tokens(embed(norm(at.x.to(self.scale.dtype))), at.mask, at.where))
        logits = self._at_lags(*ticks)
        both = first.present & second.present
        logits = logits.masked_fill(~both.unsqueeze(1), 0)
        pooled = torch.cat([masked_mean(one) for one in ticks], dim=1)
        return Fused(logits, lambda: Tokens.single(pooled))

    def _at_lags(self, first: Tokens, second: Tokens) -> Tensor:
        """`[B, 2 K + 2]`."""
        count, width = first.x.shape[1:]
        x = first.x.masked_fill(~first.mask.unsqueeze(2), 0)
        y = second.x.masked_fill(~second.mask.unsqueeze(2), 0)
        alike = x @ y.transpose(1, 2) / (width * count) ** 0.5  # [B, T, T], a tick of the first by one of the second
        lags = range(-self.lags, self.lags + 1)
        scores = torch.stack([alike.diagonal(lag, dim1=1, dim2=2).sum(dim=1) for lag in lags], dim=1)
        scores = self.scale * scores
        apart = torch.cat([scores, self.none.to(scores.dtype).expand(len(scores), 1)], dim=1)
        return apart + self.together(scores)
