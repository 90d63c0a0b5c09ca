"""Vectors whose dot products are logits."""

import pytest
import torch

from plait.heads import EmbedHead
from plait.types import Fused


def fused(x: torch.Tensor) -> Fused:
    return Fused(x, lambda: None)  # type: ignore[arg-type, return-value]


def test_dot_products_are_divided_by_the_temperature_and_the_bias_stands_last() -> None:
    head = EmbedHead("pairs", ["photo", "title"], temperature=0.2, bias=-3.0)
    x = torch.tensor([[1.0, 2.0, 3.0, -1.0]])
    found = head(fused(x))["pairs"].detach()
    assert found.shape == (1, 2, 3) and found[..., -1].tolist() == [[-3.0, -3.0]]
    assert float(found[0, 0, :-1] @ found[0, 1, :-1]) == pytest.approx((1 * 3 - 2 * 1) / 0.2, rel=1e-5)


def test_the_scale_has_an_end_and_is_learned_where_it_is_asked_for() -> None:
    head = EmbedHead("pairs", ["a", "b"], temperature=1e-4)
    found = head(fused(torch.ones(1, 2)))["pairs"].detach()
    assert float(found[0, 0, 0] * found[0, 1, 0]) == pytest.approx(EmbedHead.LARGEST, rel=1e-4)
    assert float(head.log_scale.detach().exp()) > EmbedHead.LARGEST and all(p.requires_grad for p in head.parameters())
    assert not any(p.requires_grad for p in EmbedHead("pairs", ["a", "b"], learned=False).parameters())
