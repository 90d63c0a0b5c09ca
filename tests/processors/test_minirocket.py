"""MiniRocket against the paper's definition, written out step by step."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifierCV

from plait.errors import DataError
from plait.processors import MiniRocketProcessor
from plait.processors.minirocket import KERNELS, _dilations
from plait.processors.series_cells import as_bytes


def by_hand(x_CT: np.ndarray, processor: MiniRocketProcessor) -> np.ndarray:
    """Every kernel, dilation and bias in loops: nine weights, two of them 2 … and the rest -1."""
    features, length = [], x_CT.shape[1]
    for place, dilation in enumerate(processor.dilations):
        edge = 4 * dilation
        padded = np.pad(x_CT, ((0, 0), (edge, edge)))
        for kernel, twos in enumerate(KERNELS):
            said = np.zeros(length)
            for channel in processor.channels[place][kernel]:
                for weight in range(9):
                    value = 2.0 if weight in twos else -1.0
                    said += value * padded[channel, weight * dilation : weight * dilation + length]
            inside = said if (kernel + place) % 2 == 0 or length <= 2 * edge else said[edge : length - edge]
            features += [float((inside > bias).mean()) for bias in processor.biases[place][kernel]]
    return np.array(features)


@pytest.mark.parametrize(("channels", "lengths"), [(1, (40, 40, 40)), (3, (30, 55, 41))])
def test_shares_are_those_of_the_definition(channels: int, lengths: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    series = [as_bytes(random.normal(size=(length, channels)).cumsum(axis=0)) for length in lengths]
    processor = MiniRocketProcessor.fit(series, features=336)
    assert processor.size == 336
    for one in series:
        x = processor.series(one)["values"].T.copy()
        np.testing.assert_allclose(processor(one)["shares"], by_hand(x.astype(np.float64), processor), atol=0.051)
        assert np.abs(processor(one)["shares"] - by_hand(x.astype(np.float64), processor)).mean() < 1e-3


def test_features_come_to_about_ten_thousand_at_any_length() -> None:
    for length in (9, 24, 150, 2_000):
        dilations, counts = _dilations(length, 9_996 // 84)
        assert sum(counts) == 119 and dilations == sorted(set(dilations)) and dilations[-1] <= max(1, (length - 1) / 8)


def test_a_series_shorter_than_its_kernels_has_features() -> None:
    random = np.random.default_rng(0)
    processor = MiniRocketProcessor.fit([as_bytes(random.normal(size=80)) for _ in range(3)], features=840)
    for length in (1, 5, 9):
        shares = processor(as_bytes(random.normal(size=length)))["shares"]
        assert np.isfinite(shares).all() and 0 <= shares.min() <= shares.max() <= 1


def test_it_tells_shapes_apart_that_statistics_do_not() -> None:
    """Steps up and steps down, at any place: the same values in another order."""
    random = np.random.default_rng(0)
    x = [np.where(np.arange(100) < cut, 0, 1) + 0.05 * random.normal(size=100) for cut in random.integers(40, 60, 60)]
    y = random.integers(0, 2, 60)
    series = [as_bytes(one if label else one[::-1]) for one, label in zip(x, y, strict=True)]
    processor = MiniRocketProcessor.fit(series[:30], features=840)
    shares = np.stack([processor(one)["shares"] for one in series])
    assert RidgeClassifierCV().fit(shares[:30], y[:30]).score(shares[30:], y[30:]) == 1.0


def test_it_is_the_same_every_time_and_another_by_its_seed() -> None:
    series = [as_bytes(np.random.default_rng(n).normal(size=50)) for n in range(4)]
    one, same, other = (MiniRocketProcessor.fit(series, 168, seed) for seed in (0, 0, 1))
    assert one.to_json() == same.to_json() != other.to_json()
    again = MiniRocketProcessor(**one.to_json())
    assert torch.equal(torch.tensor(again(series[0])["shares"]), torch.tensor(one(series[0])["shares"]))
    with pytest.raises(DataError, match="no series can be read"):
        MiniRocketProcessor.fit([b"x"])
