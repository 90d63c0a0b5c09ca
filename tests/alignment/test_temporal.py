"""Inputs on one clock: pooled by time, fused tick by tick."""

import numpy as np
import pytest
import torch

from plait.alignment import ClockFusion, segments
from plait.errors import DataError
from plait.fusion import ConcatFusion, LowRankFusion
from plait.layers import MissingToken
from plait.types import Tokens


def tokens(where: list[tuple[float, float]], dim: int = 3, seed: int = 0) -> Tokens:
    torch.manual_seed(seed)
    return Tokens(torch.randn(1, len(where), dim), torch.ones(1, len(where), dtype=torch.bool), torch.tensor([where]))


def test_segments_are_means_by_the_time_that_tokens_lie_in_them() -> None:
    random = np.random.default_rng(0)
    starts = np.sort(random.uniform(0, 4, 12))
    spans = [(float(s), float(s + random.uniform(0.05, 0.8))) for s in starts]
    given = tokens(spans)
    made = segments(given, 0.5, 10)
    for tick in range(10):
        # By hand: the shares of a thousand moments of the tick that each token covers.
        moments = 0.5 * tick + (np.arange(4000) + 0.5) / 8000
        weight = torch.tensor([((moments >= s) & (moments < e)).mean() for s, e in spans], dtype=torch.float32)
        assert bool(made.mask[0, tick]) == bool(weight.sum() > 0)
        if made.mask[0, tick]:
            expected = (weight[:, None] * given.x[0]).sum(dim=0) / weight.sum()
            torch.testing.assert_close(made.x[0, tick], expected, atol=0.02, rtol=0.02)
    assert made.where is not None and made.where[0, 3].tolist() == [1.5, 2.0]


def test_points_count_where_they_are_and_nothing_is_filled_in() -> None:
    made = segments(tokens([(0.1, 0.1), (0.2, 0.2), (1.7, 1.7)]), 0.5, 4)
    assert made.mask[0].tolist() == [True, False, False, True]
    with pytest.raises(ValueError, match="with their seconds"):
        segments(Tokens.single(torch.zeros(1, 3)), 0.5, 2)


def fusion() -> ClockFusion:
    torch.manual_seed(0)
    made = ClockFusion(ConcatFusion({"clip": 3, "sound": 3, "title": 4}, 8), ["clip", "sound"], 8, 0.5)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # places are zero at first
    return made.eval()


def sample(shift: float = 0.0) -> dict[str, Tokens]:
    clip = tokens([(0.5 * n, 0.5 * n + 0.5) for n in range(4)])
    sound = tokens([(0.25 * n + shift, 0.25 * n + 0.25 + shift) for n in range(8)], seed=1)
    return {"clip": clip, "sound": sound, "title": Tokens.single(torch.ones(1, 4))}


def test_each_tick_is_what_the_fusion_says_of_that_time() -> None:
    made, given = fusion(), sample()
    inner = made.fusion
    seen: list[torch.Tensor] = []
    inner.register_forward_hook(lambda module, inputs, output: seen.append(output.pooled))
    made(given)
    for tick in range(4):
        sound = given["sound"].x[:, 2 * tick : 2 * tick + 2].mean(dim=1)
        alone = inner(
            {"clip": Tokens.single(given["clip"].x[:, tick]), "sound": Tokens.single(sound), "title": given["title"]}
        )
        torch.testing.assert_close(seen[0][tick], alone.pooled[0])


def test_what_happens_at_once_is_seen() -> None:
    made = fusion()
    assert not torch.allclose(made(sample()).pooled, made(sample(0.5)).pooled, atol=1e-4)


def test_longer_rows_beside_it_change_nothing() -> None:
    made, short = fusion(), sample()
    long = {**sample(), "clip": tokens([(0.5 * n, 0.5 * n + 0.5) for n in range(9)], seed=5)}

    def pad(x: torch.Tensor, to: int) -> torch.Tensor:
        return torch.cat(
            [x, torch.full((1, to - x.shape[1], *x.shape[2:]), 7.0 if x.is_floating_point() else 0).to(x.dtype)], 1
        )

    both = {
        name: Tokens(
            torch.cat([pad(short[name].x, long[name].x.shape[1]), long[name].x]),
            torch.cat([pad(short[name].mask, long[name].mask.shape[1]), long[name].mask]),
            None
            if short[name].where is None
            else torch.cat([pad(short[name].where, long[name].where.shape[1]), long[name].where]),
        )
        for name in short
    }
    torch.testing.assert_close(made(both).pooled[0], made(short).pooled[0])
    assert made(both).tokens.mask.sum(dim=1).tolist() == [4, 9]


def test_a_missing_input_is_a_row_without_it_and_no_input_no_tick() -> None:
    made, given = fusion(), sample()
    without = {
        **given,
        "sound": Tokens(given["sound"].x * 9, torch.zeros(1, 8, dtype=torch.bool), given["sound"].where),
    }
    torch.testing.assert_close(made(without).pooled, made({**given, "sound": Tokens.missing(1, 3)}).pooled)
    only_title = {"clip": Tokens.missing(1, 3), "sound": Tokens.missing(1, 3), "title": given["title"]}
    assert made(only_title).tokens.mask.tolist() == [[True]] and made(only_title).pooled.isfinite().all()
    nothing = {**only_title, "title": Tokens.missing(1, 4)}
    assert not made(nothing).pooled.any()


def test_a_learned_stand_in_lies_at_the_beginning_whoever_is_beside_it() -> None:
    made, stand_in, given = fusion(), MissingToken(3), sample()
    sound = given["sound"]
    assert sound.where is not None
    nobody = stand_in(Tokens.missing(1, 3))
    absent = Tokens(sound.x, torch.zeros_like(sound.mask), sound.where + 0.3)  # padding beside rows that have it
    one = made({**given, "sound": nobody}).pooled
    torch.testing.assert_close(one, made({**given, "sound": stand_in(absent)}).pooled)


def test_a_recording_too_long_for_the_clock_is_refused_and_not_cut() -> None:
    made = fusion()
    clip = tokens([(0.0, 1.0), (6000.0, 6001.0)])
    with pytest.raises(DataError, match="would take 12,002 ticks, more than 10,000; take a slower clock"):
        made({**sample(), "clip": clip})


def test_any_fusion_may_be_at_a_tick_and_gradients_reach_it() -> None:
    made = ClockFusion(LowRankFusion({"clip": 3, "sound": 3}, 8, rank=2), ["clip", "sound"], 8, 0.5)
    given = {name: one for name, one in sample().items() if name != "title"}
    made(given).pooled.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
    with pytest.raises(ValueError, match="needs an input with seconds"):
        ClockFusion(ConcatFusion({"a": 3}, 8), [], 8, 0.5)
