"""Attention is torch's."""

import pytest
import torch
from torch import nn

from fakes import fake_tokens
from plait.layers import SelfAttention


def test_attention_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = SelfAttention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    tokens = fake_tokens(4, 5, 8)
    expected, _ = theirs(tokens.x, tokens.x, tokens.x, key_padding_mask=~tokens.mask)
    torch.testing.assert_close(ours(tokens.x, tokens.mask)[tokens.mask], expected[tokens.mask], rtol=1e-4, atol=1e-5)


def test_attention_refuses_a_width_that_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match="10 is not a multiple of 4 heads"):
        SelfAttention(10, 4)
