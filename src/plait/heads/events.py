"""An answer for each step in time: which events happen there, and when that is."""

import torch
from torch import nn

from plait.heads.tag import TagHead
from plait.types import Fused, Tokens

RARE = 0.02  # probability of an event at a step before anything is learned


class EventsHead(nn.Module):
    """A `TagHead` over tokens that lie in seconds, with the seconds behind its answers.

    Args:
        tag: answers for each token with L logits. Most steps have no event: `RARE` is a prior for it.

    Shapes: Fused with tokens of `[B, T, D]` → target → Tokens `[B, T, L + 2]`: logits, start and end in seconds.

    Raises:
        ValueError: the tokens lie nowhere in time.

    >>> head = EventsHead(TagHead("hits", None, token_dim=8, fused_dim=8, out_dim=1, prior=RARE))
    >>> where = torch.tensor([[[0.0, 0.5], [0.5, 1.0]]])
    >>> ticks = Tokens(torch.zeros(1, 2, 8), torch.ones(1, 2) > 0, where)
    >>> head(Fused(torch.zeros(1, 8), lambda: ticks))["hits"].x.sigmoid()[..., 0].round(decimals=2).tolist()
    [[0.019999999552965164, 0.019999999552965164]]
    """

    def __init__(self, tag: TagHead) -> None:
        super().__init__()
        self.name, self.reads, self.tag = tag.name, tag.reads, tag

    def forward(self, fused: Fused) -> dict[str, Tokens]:
        steps = fused.tokens if self.reads is None else fused.parts[self.reads]
        where = steps.where
        if where is None and not steps.mask.any():  # nobody in the batch has the input, and nothing is answered
            where = steps.x.new_zeros(*steps.mask.shape, 2)
        if where is None or where.shape[2] != 2:
            raise ValueError(f"{self.name!r} is answered in seconds, and what it reads lies nowhere in time")
        said = self.tag(fused)[self.name]
        return {self.name: Tokens(torch.cat([said.x, where.to(said.x.dtype)], dim=2), said.mask, where)}
