"""A block with nothing to look at."""

import torch

from plait.layers import TransformerBlock


def test_attention_over_nothing_is_finite() -> None:
    x, mask = torch.randn(2, 3, 8), torch.zeros(2, 3, dtype=torch.bool)
    assert TransformerBlock(8, 2)(x, mask).isfinite().all()
