"""Heads side by side."""

import torch

from plait.heads import EventsHead, PredictHead, TagHead, TogetherHead
from plait.types import Fused, Tokens


def test_each_says_what_it_says_alone() -> None:
    heads = [PredictHead(8, {"kind": 3}), EventsHead(TagHead("hits", "clip", 4, 8, out_dim=1))]
    together = TogetherHead(heads)
    clip = Tokens(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.rand(2, 3, 2))
    fused = Fused(torch.randn(2, 8), lambda: clip, parts={"clip": clip})
    said = together(fused)
    assert list(said) == ["kind", "hits"] and together.reads == "clip"
    assert torch.equal(said["kind"], heads[0](fused)["kind"])
    assert torch.equal(said["hits"].x, heads[1](fused)["hits"].x)
    assert TogetherHead(heads[:1]).reads is None
