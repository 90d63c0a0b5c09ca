"""Lags: against sums in loops, and recordings of which one is late by a known time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from plait.alignment import LagFusion
from plait.errors import DataError
from plait.types import Tokens


def tokens(x: Tensor, seconds: float = 0.5, mask: Tensor | None = None) -> Tokens:
    edges = seconds * torch.arange(x.shape[1] + 1)
    where = torch.stack([edges[:-1], edges[1:]], dim=1).expand(len(x), -1, -1)
    return Tokens(x, torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask, where)


def made(lags: int = 3) -> LagFusion:
    torch.manual_seed(0)
    return LagFusion({"clip": 4, "sound": 6}, ("clip", "sound"), 8, clock=0.5, lags=lags).eval()


def test_a_score_is_what_ticks_so_far_apart_add_up_to() -> None:
    fusion = made()
    clip, sound = torch.randn(2, 7, 4), torch.randn(2, 7, 6)
    logits = fusion({"clip": tokens(clip), "sound": tokens(sound)}).pooled
    a, b = (embed(norm(x)) for embed, norm, x in zip(fusion.embed, fusion.norms, (clip, sound), strict=True))
    for place, lag in enumerate(range(-3, 4)):
        pairs = [(a[:, t] * b[:, t + lag]).sum(dim=1) for t in range(7) if 0 <= t + lag < 7]
        torch.testing.assert_close(logits[:, place], torch.stack(pairs).sum(dim=0) / (8 * 7) ** 0.5)
    assert (logits[:, 7] == fusion.none).all() and logits.shape == (2, 8)


def test_padding_and_longer_lags_than_recordings() -> None:
    fusion = made(lags=9)
    clip, sound = torch.randn(1, 3, 4), torch.randn(1, 3, 6)
    short = fusion({"clip": tokens(clip), "sound": tokens(sound)}).pooled
    assert short.isfinite().all() and not short[0, :6].any()
    mask = torch.arange(5)[None] < 3
    padded = [tokens(torch.nn.functional.pad(x, (0, 0, 0, 2), value=9.0), mask=mask) for x in (clip, sound)]
    torch.testing.assert_close(fusion({"clip": padded[0], "sound": padded[1]}).pooled, short)


@pytest.mark.parametrize("gone", ["clip", "sound"])
def test_a_row_that_lacks_one_says_nothing(gone: str) -> None:
    given = {"clip": tokens(torch.randn(2, 3, 4)), "sound": tokens(torch.randn(2, 3, 6))}
    given[gone].mask[1] = False
    logits = made()(given).pooled
    assert logits[0].any() and not logits[1].any()
    given[gone] = Tokens.missing(2, {"clip": 4, "sound": 6}[gone])
    assert not made()(given).pooled.any()


def test_it_learns_by_how_much_one_is_late() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)

    def batch(rows: int) -> tuple[dict[str, Tokens], Tensor]:
        clip = torch.zeros(rows, 20, 4)
        sound = torch.zeros(rows, 20, 6)
        delays = random.integers(-3, 4, rows)
        for row, delay in enumerate(delays):
            for moment in random.choice(np.arange(3, 17), 3, replace=False):
                clip[row, moment, 0] = 1.0
                sound[row, moment + delay, 1] = 1.0
        noise = 0.1
        given = {"clip": tokens(clip + noise * torch.randn_like(clip))}
        return given | {"sound": tokens(sound + noise * torch.randn_like(sound))}, torch.from_numpy(delays + 3)

    fusion = LagFusion({"clip": 4, "sound": 6}, ("clip", "sound"), 16, clock=0.5, lags=3, dropout=0.0)
    optimizer = torch.optim.Adam(fusion.parameters(), 0.01)
    for _ in range(100):
        given, truth = batch(32)
        loss = torch.nn.functional.cross_entropy(fusion(given).pooled, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    given, truth = batch(200)
    assert (fusion.eval()(given).pooled.argmax(dim=1) == truth).float().mean() > 0.95


def test_too_many_ticks_are_refused() -> None:
    clip = tokens(torch.zeros(1, 2, 4), seconds=10_000.0)
    with pytest.raises(DataError, match="more than 10,000"):
        made()({"clip": clip, "sound": tokens(torch.zeros(1, 2, 6))})
