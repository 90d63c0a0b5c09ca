"""The prediction head against numpy, and the weights that older runs left."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fakes import fake_tokens
from plait.fusion import SumFusion
from plait.heads import PredictHead, SplitHead
from plait.training.checkpoint import load_state
from plait.types import Fused


def fused(pooled: torch.Tensor) -> Fused:
    return Fused(pooled, lambda: None)  # type: ignore[arg-type, return-value]


def test_without_a_hidden_layer_it_is_one_linear_map() -> None:
    head, x = PredictHead(6, {"y": 3}, hidden=0, dropout=0.5).eval(), torch.randn(4, 6)
    weight, bias = (p.detach().numpy() for p in head.parameters())
    np.testing.assert_allclose(head(fused(x))["y"].detach(), x.numpy() @ weight.T + bias, rtol=1e-5, atol=1e-6)
    deep = PredictHead(6, {"y": 3}, hidden=8).eval()
    normed = nn.functional.gelu(nn.functional.layer_norm(x, (6,)))
    torch.testing.assert_close(deep(fused(x))["y"], deep.targets["y"](normed))


def test_the_sum_of_two_linear_maps_and_a_linear_head_cannot_see_whether_they_agree() -> None:
    """The classic matching model: what it says of (a, b) and (c, d) adds up to what it says of (a, d) and (c, b)."""
    torch.manual_seed(0)
    fusion, head = SumFusion({"picture": 5, "text": 4}, 8), PredictHead(8, {"match": 1}, hidden=0)
    picture, text = fake_tokens(2, 3, 5), fake_tokens(2, 2, 4, seed=1)
    matching, swapped = (
        head(fusion({"picture": picture, "text": text.take(torch.tensor(order))}))["match"].sum()
        for order in ([[0], [1]], [[1], [0]])
    )
    torch.testing.assert_close(matching, swapped)


def test_an_older_run_without_a_hidden_layer_answers_as_it_did() -> None:
    torch.manual_seed(0)
    x, old = torch.randn(3, 6), nn.Sequential(nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 2))
    nn.init.normal_(old[0].weight)
    nn.init.normal_(old[0].bias)
    names = {"0.": "norm.0.", "2.": "targets._by_position.0.layers.0."}
    saved = {names[name[:2]] + name[2:]: tensor for name, tensor in old.state_dict().items()}
    head = PredictHead(6, {"y": 2}).eval()
    load_state(head, saved, Path("model.safetensors"))
    torch.testing.assert_close(head(fused(x))["y"], old(x))


@pytest.mark.parametrize("head", [PredictHead(6, {"y": 6}), PredictHead(6, {"y": 6}, hidden=4), SplitHead({"y": 6})])
def test_answers_are_float64_where_the_model_is_and_float32_elsewhere(head: nn.Module) -> None:
    x = torch.randn(2, 6)
    assert head.double()(fused(x.double()))["y"].dtype == torch.float64
    assert head.bfloat16()(fused(x.bfloat16()))["y"].dtype == torch.float32
