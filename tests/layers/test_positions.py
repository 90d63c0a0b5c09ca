"""Sinusoids of the paper, and places."""

import numpy as np
import pytest
import torch

from plait.layers import PlaceEmbedding, fourier_features, sinusoidal_positions


def test_sinusoids_are_the_papers() -> None:
    positions = sinusoidal_positions(7, 6).numpy()
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert positions[position, pair] == pytest.approx(np.sin(angle), abs=1e-6)
            assert positions[position, 3 + pair] == pytest.approx(np.cos(angle), abs=1e-6)
    with pytest.raises(ValueError, match="even"):
        sinusoidal_positions(3, 5)


def test_places_far_and_near_are_told_apart() -> None:
    """By numpy's own sines; and a tenth of a second stays visible after five hours, a cell of 64 beside its neighbour."""
    where = torch.tensor([[[0.25, 0.5, 0.75, 1.0]]])
    wavelengths = 2.0 * (1 / 64) ** (np.arange(16) / 15)
    angle = where.numpy()[0, 0][:, None] * 2 * np.pi / wavelengths
    expected = np.concatenate([np.sin(angle), np.cos(angle)], axis=1).ravel()
    np.testing.assert_allclose(fourier_features(where)[0, 0].numpy(), expected, atol=1e-4)
    hours = torch.tensor([[[18_000.0, 18_000.1], [18_000.05, 18_000.1]]])
    one, other = fourier_features(hours)[0]
    assert (one - other).abs().max() > 0.5 and not one[64:].any()
    cells = torch.tensor([[[0.0, 0.0, 1 / 64, 1 / 64], [1 / 64, 0.0, 2 / 64, 1 / 64]]])
    left, right = fourier_features(cells)[0]
    assert (left - right).abs().max() > 0.5
    with pytest.raises(ValueError, match="got 3"):
        fourier_features(torch.zeros(1, 1, 3))


def test_an_embedding_without_places_still_has_a_gradient() -> None:
    """Processes that share weights wait for each other's gradients: an unused weight would stop them."""
    embedding = PlaceEmbedding(4)
    embedding(None).sum().backward()
    assert embedding.weight.grad is not None and not embedding.weight.grad.any()
