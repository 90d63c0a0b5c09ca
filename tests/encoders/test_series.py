"""Encoders of series: numpy's statistics, padding that changes nothing, true times, what they learn."""

import io
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from plait.encoders import SeriesCNN, SeriesStatistics, SeriesTransformer
from plait.processors import SeriesProcessor
from plait.processors.series_cells import as_bytes


def timed(values: np.ndarray, times: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, values=values, times=times)
    return file.getvalue()


RANDOM = np.random.default_rng(0)
SERIES = [as_bytes(RANDOM.normal(size=(n, 2)).cumsum(axis=0)) for n in (40, 7, 1, 90, 23)]


def test_statistics_are_numpys() -> None:
    values = RANDOM.normal(size=(50, 2)).cumsum(axis=0)
    values[10:14, 1] = np.nan
    processor = SeriesProcessor([0.0, 0.0], [1.0, 1.0])
    said = SeriesStatistics(processor)(processor.collate([processor(as_bytes(values))])).x[0, 0].numpy()
    for channel in range(2):
        x = values[:, channel]
        there, steps = np.isfinite(x), np.arange(50)
        both = there[1:] & there[:-1]
        change, away = np.diff(x)[both], x - np.nanmean(x)
        line = np.polyfit(steps[there], x[there], 1)[0] * 50
        expected = [
            *(np.nanmean(x), np.nanstd(x), np.nanmin(x), np.nanmax(x), *np.nanquantile(x, [0.25, 0.5, 0.75])),
            *(np.abs(change).mean(), change.std(), line),
            (away[1:] * away[:-1])[both].sum() / (both.sum() * np.nanvar(x)),
            (away[1:] * away[:-1] < 0)[both].mean(),
            there.mean(),
        ]
        np.testing.assert_allclose(said[channel::2][:13], expected, rtol=2e-3, atol=1e-4)
        around = np.where(there, away, 0) * np.hanning(50).clip(1e-3)
        energy, share = np.abs(np.fft.rfft(around)) ** 2, np.linspace(0, 1, 26)
        edges = [-1, *(2.0**-k for k in range(8, -1, -1))]
        octaves = [energy[(share > low) & (share <= high)].sum() for low, high in itertools.pairwise(edges)]
        np.testing.assert_allclose(said[channel::2][13:22], np.log(octaves / energy.sum() + 1e-6), atol=2e-3)
    assert said[-1] == pytest.approx(np.log(50))


@pytest.mark.parametrize("make", [SeriesCNN, SeriesTransformer])
def test_no_series_sees_anothers_padding(make: Any) -> None:
    torch.manual_seed(0)
    processor = SeriesProcessor.fit(SERIES)
    encoder = make(processor, dim=8)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    features = [processor(one) for one in SERIES]
    encoder.train()(processor.collate(features))  # running values of their own
    encoder.eval()
    with torch.no_grad():
        together = encoder(processor.collate(features))
        for place, one in enumerate(features):
            alone = encoder(processor.collate([one]))
            count = int(alone.mask.sum())
            assert together.mask[place].sum() == count == -(-len(one["times"]) // 8)
            torch.testing.assert_close(together.x[place, :count], alone.x[0, :count], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(together.where[place, :count], alone.where[0, :count])


@pytest.mark.parametrize("make", [SeriesCNN, SeriesTransformer])
def test_tokens_lie_at_true_times(make: Any) -> None:
    times = np.concatenate([np.arange(8.0), 100 + np.arange(8.0)])
    processor = SeriesProcessor.fit([timed(np.arange(16.0), times)])
    encoder = make(processor, dim=8).eval()
    where = encoder(processor.collate([processor(timed(np.arange(16.0), times + 50))])).where[0]
    torch.testing.assert_close(where, torch.tensor([[0.0, 8.0], [100.0, 108.0]]))


@pytest.mark.parametrize("make", [SeriesCNN, SeriesTransformer])
def test_a_gap_in_time_changes_the_answer(make: Any) -> None:
    """The same values, once evenly spaced and once with a hole: an encoder that ignored time would say the same."""
    torch.manual_seed(0)
    values = np.sin(np.arange(32.0))
    even, holed = np.arange(32.0), np.where(np.arange(32) < 16, np.arange(32.0), 500 + np.arange(32.0))
    processor = SeriesProcessor.fit([timed(values, even)])
    encoder = make(processor, dim=8).eval()
    with torch.no_grad():
        if make is SeriesTransformer:
            encoder.place.weight.normal_()  # zero at first
        a, b = (encoder(processor.collate([processor(timed(values, times))])).x for times in (even, holed))
    assert (a - b).abs().max() > 1e-3


@pytest.mark.parametrize("normalise", [False, True])
def test_what_is_not_there_is_not_seen_as_the_mean(normalise: bool) -> None:
    torch.manual_seed(0)
    processor = SeriesProcessor([0.0], [1.0])
    encoder = SeriesTransformer(processor, dim=8, normalise=normalise).eval()
    gap, zero = [1.0, None, 3.0, 2.0], [1.0, 0.0, 3.0, 2.0]
    with torch.no_grad():
        a, b = (encoder(processor.collate([processor(as_bytes(one))])).x for one in (gap, zero))
    assert (a - b).abs().max() > 1e-3


def test_normalised_series_differ_by_their_level_only_where_it_is_said() -> None:
    torch.manual_seed(0)
    processor = SeriesProcessor([0.0], [1.0])
    encoder = SeriesTransformer(processor, dim=8, normalise=True).eval()
    assert encoder.level is not None
    with torch.no_grad():
        encoder.level.weight.zero_()
        wave = np.sin(np.arange(40.0))
        a, b = (encoder(processor.collate([processor(as_bytes(one))])).x for one in (wave, 5 * wave + 100))
    torch.testing.assert_close(a, b, atol=1e-2, rtol=1e-2)
