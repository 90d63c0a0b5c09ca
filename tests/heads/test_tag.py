"""An answer a token, beside what the row says as a whole."""

import torch

from fakes import fake_tokens
from plait.heads import TagHead
from plait.types import Fused


def test_each_token_is_answered_by_itself_and_by_its_row() -> None:
    torch.manual_seed(0)
    head, words = TagHead("tags", "words", 4, 6, 3).eval(), fake_tokens(3, 5, 4)
    pooled = torch.randn(3, 6)
    found = head(Fused(pooled, lambda: words, parts={"words": words}))["tags"]
    assert found.mask is words.mask and found.x.shape == (3, 5, 3)
    linear = head.mlp.layers[0]
    centred = pooled - pooled.mean(dim=1, keepdim=True)
    beside = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    expected = torch.cat([words.x[1, 2], beside[1]]) @ linear.weight.T + linear.bias
    torch.testing.assert_close(found.x[1, 2], expected)
    other = words.x.clone()
    other[1, 3] += 1
    words.x = other
    again = head(Fused(pooled, lambda: words, parts={"words": words}))["tags"].x
    changed = (again != found.x).any(dim=2)
    assert changed.nonzero().tolist() == [[1, 3]]  # and no other token
