"""Attention between recordings that sees only what is near in time."""

from typing import Any

import pytest
import torch

from plait.fusion import CoAttentionFusion, MulTFusion
from plait.layers import near
from plait.types import Tokens

FUSED = pytest.mark.parametrize("make", [MulTFusion, CoAttentionFusion])


def given(seed: int = 0) -> dict[str, Tokens]:
    torch.manual_seed(seed)
    spans = [(float(n), float(n + 1)) for n in range(6)]
    where = torch.tensor([spans])
    mask = torch.ones(1, 6, dtype=torch.bool)
    return {"clip": Tokens(torch.randn(1, 6, 4), mask, where), "sound": Tokens(torch.randn(1, 6, 4), mask, where)}


def fusion(make: Any, within: float | None) -> Any:
    torch.manual_seed(1)
    return make({"clip": 4, "sound": 4}, 8, within=within).eval()


@FUSED
def test_a_wide_limit_is_none(make: Any) -> None:
    one, other = (fusion(make, within)(given()).pooled for within in (None, 100.0))
    torch.testing.assert_close(one, other)


def test_what_is_far_away_is_not_seen() -> None:
    """Of MulT a transformer of the clip's own follows, through which all reaches all; of co-attention nothing does."""
    made, tokens = fusion(CoAttentionFusion, 0.5), given()
    changed = {**tokens, "sound": Tokens(tokens["sound"].x.clone(), tokens["sound"].mask, tokens["sound"].where)}
    changed["sound"].x[0, 5] += 3.0
    before, after = (made(one).tokens.x[0, :6] for one in (tokens, changed))
    assert [torch.allclose(before[n], after[n], atol=1e-6) for n in range(6)] == [True] * 4 + [False, False]


@FUSED
def test_it_is_attention_with_the_far_ones_taken_out(make: Any) -> None:
    """One token of the clip: as if the sound held only what is near it."""
    made, tokens = fusion(make, 0.5), given()
    clip = Tokens(tokens["clip"].x[:, 2:3], tokens["clip"].mask[:, 2:3], tokens["clip"].where[:, 2:3])  # type: ignore[index]
    sound = tokens["sound"]
    cut = Tokens(sound.x[:, 1:4], sound.mask[:, 1:4], sound.where[:, 1:4])  # type: ignore[index]
    unlimited = fusion(make, None)
    one = made({"clip": clip, "sound": sound}).tokens.x[0, 0]
    other = unlimited({"clip": clip, "sound": cut}).tokens.x[0, 0]
    torch.testing.assert_close(one, other)


@FUSED
def test_inputs_without_a_time_are_seen_by_all_and_nothing_near_is_nothing(make: Any) -> None:
    tokens = given()
    title = Tokens.single(torch.ones(1, 4))
    assert fusion(make, 0.5)({"clip": tokens["clip"], "sound": title}).pooled.isfinite().all()
    far = Tokens(tokens["sound"].x, tokens["sound"].mask, tokens["sound"].where + 100)  # type: ignore[operator]
    made = fusion(make, 0.5)
    changed = Tokens(far.x + 5, far.mask, far.where)
    one, other = (made({"clip": tokens["clip"], "sound": it}).tokens.x[0, :6] for it in (far, changed))
    torch.testing.assert_close(one, other)


def test_spans_are_apart_by_the_gap_between_them() -> None:
    one, other = torch.tensor([[[2.0, 3.0]]]), torch.tensor([[[0.0, 1.0], [2.5, 2.6], [3.4, 9.0], [3.6, 9.0]]])
    made = near(one, other, 0.5)
    assert made is not None and made.tolist() == [[[False, True, True, False]]]
    assert near(one, None, 0.5) is None and near(one, torch.zeros(1, 1, 4), 0.5) is None
