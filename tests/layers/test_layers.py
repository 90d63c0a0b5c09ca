import numpy as np
import pytest
import torch
from torch import nn

from fakes import fake_tokens
from plait.errors import DataError
from plait.layers import (
    MissingToken,
    ModalityProjection,
    NamedModules,
    PlaceEmbedding,
    SelfAttention,
    TransformerBlock,
    fourier_features,
    masked_mean,
    sinusoidal_positions,
)
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


def test_attention_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = SelfAttention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    tokens = fake_tokens(4, 5, 8)
    expected, _ = theirs(tokens.x, tokens.x, tokens.x, key_padding_mask=~tokens.mask)
    torch.testing.assert_close(ours(tokens.x, tokens.mask)[tokens.mask], expected[tokens.mask], rtol=1e-4, atol=1e-5)


def test_attention_over_nothing_is_finite() -> None:
    x, mask = torch.randn(2, 3, 8), torch.zeros(2, 3, dtype=torch.bool)
    assert TransformerBlock(8, 2)(x, mask).isfinite().all()


def test_attention_refuses_a_width_that_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match="10 is not a multiple of 4 heads"):
        SelfAttention(10, 4)


def test_sinusoids_are_the_papers() -> None:
    positions = sinusoidal_positions(7, 6).numpy()
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert positions[position, pair] == pytest.approx(np.sin(angle), abs=1e-6)
            assert positions[position, 3 + pair] == pytest.approx(np.cos(angle), abs=1e-6)
    with pytest.raises(ValueError, match="even"):
        sinusoidal_positions(3, 5)


@pytest.mark.parametrize("name", ["a.b", "keys", "type", "price (USD)", "", "training"])
def test_modules_take_any_column_name(name: str) -> None:
    modules = NamedModules({name: nn.Linear(2, 2), "other": nn.Linear(1, 1)})
    again = NamedModules({name: nn.Linear(2, 2), "other": nn.Linear(1, 1)})
    again.load_state_dict(modules.state_dict())
    assert torch.equal(again[name].weight, modules[name].weight)
    assert name in modules and len(modules) == 2


def test_absent_token_stands_in_only_where_nothing_is() -> None:
    tokens = fake_tokens(3, 2, 4, absent=(1,))
    layer = MissingToken(4)
    filled = layer(tokens)
    assert filled.present.all()
    torch.testing.assert_close(filled.x[1, 0], layer.vector)
    torch.testing.assert_close(masked_mean(filled)[0], masked_mean(tokens)[0])


def test_projection_of_the_mean_is_the_mean_of_projections() -> None:
    tokens = {"a": fake_tokens(4, 3, 5)}
    project = ModalityProjection({"a": 5}, 7)
    vectors, present = project.vectors(tokens)
    torch.testing.assert_close(vectors[:, 0], masked_mean(project.tokens(tokens)), rtol=1e-4, atol=1e-5)
    assert present.all()


def test_projection_names_a_missing_modality() -> None:
    with pytest.raises(DataError, match="expects modality 'photo'.*did you mean 'phot'"):
        ModalityProjection({"photo": 4}, 4).vectors({"phot": fake_tokens(1, 1, 4)})


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
