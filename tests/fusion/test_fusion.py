"""Contract tests over `FUSIONS`, then each method against numpy."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import fake_tokens
from plait.errors import DataError
from plait.fusion import FUSIONS
from plait.layers import masked_mean
from plait.types import Tokens

DIMS = {"photo": 6, "title": 4, "tabular": 3}
every_fusion = pytest.mark.parametrize("name", FUSIONS)


def make(name: str, dims: Mapping[str, int] = DIMS) -> torch.nn.Module:
    torch.manual_seed(0)
    return FUSIONS[name](dims, 8).eval()


def tokens_of(rows: int = 5, absent: Mapping[str, tuple[int, ...]] | None = None) -> dict[str, Tokens]:
    lengths = {"photo": 4, "title": 3, "tabular": 1}
    return {
        n: fake_tokens(rows, lengths[n], d, seed=i, absent=(absent or {}).get(n, ()))
        for i, (n, d) in enumerate(DIMS.items())
    }


@every_fusion
def test_shapes_and_documentation(name: str) -> None:
    fusion = make(name)
    fused = fusion(tokens_of())
    assert fused.pooled.shape == (5, 8)
    assert fused.tokens.x.shape == (5, 8, 8) and fused.tokens.mask.shape == (5, 8)
    assert fusion.stage in ("early", "mid", "late")
    assert "Stage:" in FUSIONS[name].__doc__


@every_fusion
@settings(max_examples=15, deadline=None)
@given(extra=st.integers(0, 5), fill=st.sampled_from([0.0, 1e3, float("nan"), float("inf")]))
def test_padding_never_changes_the_answer(name: str, extra: int, fill: float) -> None:
    fusion, tokens = make(name), tokens_of(absent={"title": (1,)})
    padded = dict(tokens)
    for key, value in tokens.items():
        x = torch.cat([value.x, torch.zeros(5, extra, DIMS[key])], dim=1)
        mask = torch.cat([value.mask, torch.zeros(5, extra, dtype=torch.bool)], dim=1)
        padded[key] = Tokens(x.masked_fill(~mask.unsqueeze(-1), fill), mask)
    torch.testing.assert_close(fusion(padded).pooled, fusion(tokens).pooled, rtol=1e-4, atol=1e-5)


@every_fusion
def test_absent_rows_equal_absent_columns(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    masked = {**tokens, "title": Tokens(tokens["title"].x, torch.zeros_like(tokens["title"].mask))}
    absent = {**tokens, "title": Tokens.absent(5, 4)}
    torch.testing.assert_close(fusion(masked).pooled, fusion(absent).pooled)


@every_fusion
def test_gradients_are_finite_even_where_all_is_absent(name: str) -> None:
    fusion = make(name).train()
    tokens = tokens_of(absent=dict.fromkeys(DIMS, (0,)))
    fused = fusion(tokens)
    assert fused.pooled.isfinite().all()
    (fused.pooled.sum() + fused.tokens.x[fused.tokens.mask].sum()).backward()
    for parameter in fusion.parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@every_fusion
def test_rows_do_not_touch_each_other(name: str) -> None:
    fusion, tokens = make(name), tokens_of(absent={"photo": (2,)})
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = {key: Tokens(value.x[order], value.mask[order]) for key, value in tokens.items()}
    torch.testing.assert_close(fusion(shuffled).pooled, fusion(tokens).pooled[order])


@every_fusion
def test_order_of_the_mapping_does_not_matter(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    torch.testing.assert_close(fusion(dict(reversed(tokens.items()))).pooled, fusion(tokens).pooled)


@every_fusion
def test_save_and_load(name: str, tmp_path) -> None:
    fusion, tokens = make(name), tokens_of()
    torch.manual_seed(1)
    other = FUSIONS[name](DIMS, 8).eval()
    other.load_state_dict(fusion.state_dict())
    assert torch.equal(other(tokens).pooled, fusion(tokens).pooled)


@every_fusion
def test_bfloat16(name: str) -> None:
    fusion, tokens = make(name), tokens_of()
    exact = fusion(tokens).pooled
    with torch.autocast("cpu", dtype=torch.bfloat16):
        close = fusion(tokens).pooled.float()
    torch.testing.assert_close(close, exact, rtol=0.1, atol=0.05)


@every_fusion
@pytest.mark.parametrize("count", [1, 2, 8])
def test_one_to_eight_modalities(name: str, count: int) -> None:
    dims = {f"m{i}": 2 + i for i in range(count)}
    fusion = make(name, dims)
    tokens = {key: fake_tokens(3, 2, dim) for key, dim in dims.items()}
    assert fusion(tokens).pooled.shape == (3, 8)


@every_fusion
def test_missing_name_is_an_error_and_none_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="expects modality 'title'"):
        make(name)({"photo": fake_tokens(2, 1, 6), "tabular": fake_tokens(2, 1, 3)})
    with pytest.raises(ValueError, match="at least one modality"):
        FUSIONS[name]({}, 8)


def projected(fusion: torch.nn.Module, tokens: dict[str, Tokens]) -> np.ndarray:
    """`[M, B, H]` by numpy, zero where absent."""
    vectors = []
    for name in DIMS:
        linear = fusion.project.linears[name]
        mean = masked_mean(tokens[name]).numpy()
        vector = mean @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        vectors.append(vector * tokens[name].present.numpy()[:, None])
    return np.stack(vectors)


TOKENS = tokens_of(absent={"title": (1,), "photo": (3,)})


def close(actual: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_concat_value() -> None:
    fusion = make("concat")
    stacked = np.concatenate(projected(fusion, TOKENS), axis=1)
    close(fusion(TOKENS).pooled, stacked @ fusion.mix.weight.detach().numpy().T + fusion.mix.bias.detach().numpy())


def test_sum_value() -> None:
    fusion = make("sum")
    close(fusion(TOKENS).pooled, projected(fusion, TOKENS).sum(axis=0))


def test_product_value() -> None:
    fusion = make("product")
    vectors = projected(fusion, TOKENS)
    present = np.stack([TOKENS[name].present.numpy() for name in DIMS])
    close(fusion(TOKENS).pooled, np.where(present[..., None], vectors, 1).prod(axis=0))


def test_product_of_nothing_is_zero() -> None:
    nothing = {name: Tokens.absent(2, dim) for name, dim in DIMS.items()}
    assert (make("product")(nothing).pooled == 0).all()


def test_gated_value() -> None:
    fusion = make("gated")
    vectors = projected(fusion, TOKENS)
    stacked = np.concatenate(vectors, axis=1)
    gates = 1 / (1 + np.exp(-(stacked @ fusion.gate.weight.detach().numpy().T + fusion.gate.bias.detach().numpy())))
    gates = np.stack(np.split(gates, 3, axis=1))
    close(fusion(TOKENS).pooled, (gates * np.tanh(vectors)).sum(axis=0))
