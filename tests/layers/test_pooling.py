"""The mean of what is there."""

import numpy as np
import torch

from fakes import fake_tokens
from plait.layers import masked_mean
from plait.types import Tokens


def test_masked_mean_is_numpys() -> None:
    tokens = fake_tokens(5, 4, 3, absent=(2,))
    expected = [
        x[m].mean(axis=0) if m.any() else np.zeros(3)
        for x, m in zip(tokens.x.numpy(), tokens.mask.numpy(), strict=False)
    ]
    np.testing.assert_allclose(masked_mean(tokens).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_masked_mean_ignores_what_padding_holds() -> None:
    tokens = Tokens(torch.tensor([[[1.0], [float("nan")]]]), torch.tensor([[True, False]]))
    assert masked_mean(tokens).item() == 1.0
