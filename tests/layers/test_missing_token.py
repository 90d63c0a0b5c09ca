"""What stands in where nothing is."""

import torch

from fakes import fake_tokens
from plait.layers import MissingToken, masked_mean


def test_absent_token_stands_in_only_where_nothing_is() -> None:
    tokens = fake_tokens(3, 2, 4, absent=(1,))
    layer = MissingToken(4)
    filled = layer(tokens)
    assert filled.present.all()
    torch.testing.assert_close(filled.x[1, 0], layer.vector)
    torch.testing.assert_close(masked_mean(filled)[0], masked_mean(tokens)[0])
