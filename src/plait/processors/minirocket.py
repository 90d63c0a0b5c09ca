"""MiniRocket: how often fixed convolutions of a series exceed biases that were drawn from training series."""

import math
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor

from plait.errors import DataError
from plait.processors.series import STEPS, Bridge, Clock, SeriesProcessor, Steps

WIDTH = 9  # of a kernel: three weights of 2, six of -1
KERNELS = list(combinations(range(WIDTH), 3))
DILATIONS = 32  # at most
SAMPLE = 512  # training series that biases are drawn from
GOLDEN = (math.sqrt(5) + 1) / 2
Count = Annotated[int, Ge(len(KERNELS)), Le(100_000)]


class MiniRocketProcessor:
    """A series → the shares of time in which its convolutions exceed biases (MiniRocket, 2012.08791).

    84 kernels of nine weights at dilations up to the usual length of a series, each with as many biases as come to
    about 10,000 features; several channels are added in drawn subsets. Channels are scaled first; where a series has no
    number it counts as the mean. As in the paper half of the kernels see zeros beyond the ends. Where series differ in
    length, shares are of each one's own; one too short for a dilation is padded there.

    Args:
        scaling: `SeriesProcessor.to_json()`.
        dilations: of the kernels.
        biases: a dilation → `[84, n]`.
        channels: a dilation → 84 lists of channels that are added.

    Shapes: a series of T steps and C channels → `{"shares": [F] float32}`.
    """

    learns = True  # of training rows more than a scale, which linear models take out again

    def __init__(
        self,
        scaling: dict[str, Any],
        dilations: list[int],
        biases: list[list[list[float]]],
        channels: list[list[list[int]]],
    ) -> None:
        self.scaling, self.dilations, self.biases, self.channels = scaling, dilations, biases, channels
        self.series = SeriesProcessor(**scaling)
        self.size = sum(len(kernel) for dilation in biases for kernel in dilation)
        self._weights = [_weights(chosen, len(self.series.means)) for chosen in channels]
        self._biases = [torch.tensor(one, dtype=torch.float32) for one in biases]

    @classmethod
    def fit(
        cls,
        series: Iterable[Path | str | bytes],
        features: Count = 9_996,
        seed: int = 0,
        steps: Steps = STEPS,
        clock: Clock | None = None,
        bridge: Bridge | None = None,
    ) -> "MiniRocketProcessor":
        """Dilations from the usual length of training series, biases from what the kernels say of some of them.

        Args:
            series: of training rows.
            features: how many, about: a multiple of 84.
            seed: of what is drawn.
            steps: most of a series; longer ones are averaged.
            clock, bridge: as of `SeriesProcessor`.

        Raises:
            DataError: no series can be read.
        """
        contents = list(series)
        scaling = SeriesProcessor.fit(contents, steps, clock, bridge)
        random = np.random.default_rng(seed)
        order = random.permutation(len(contents))
        sample: list[Tensor] = []
        for place in order:
            try:
                sample.append(torch.from_numpy(scaling(contents[place])["values"].T.copy()))
            except DataError:
                continue
            if len(sample) == SAMPLE:
                break
        length = int(np.median([one.shape[1] for one in sample]))
        dilations, counts = _dilations(max(WIDTH, length), max(1, features // len(KERNELS)))
        channels = [_subsets(len(scaling.means), random) for _ in dilations]
        # Quantiles that fill 0..1 evenly however many there are, shared out in the paper's order.
        quantiles = iter((np.arange(1, sum(counts) * len(KERNELS) + 1) * GOLDEN) % 1)
        biases: list[list[list[float]]] = []
        for dilation, count, chosen in zip(dilations, counts, channels, strict=True):
            weights = _weights(chosen, len(scaling.means))
            said = [_convolved(sample[int(random.integers(len(sample)))], weights, dilation) for _ in range(8)]
            drawn = random.integers(len(said), size=len(KERNELS))
            biases.append(
                [
                    np.quantile(said[drawn[kernel]][kernel].numpy(), [next(quantiles) for _ in range(count)]).tolist()
                    for kernel in range(len(KERNELS))
                ]
            )
        return cls(scaling.to_json(), dilations, biases, channels)

    def to_json(self) -> dict[str, Any]:
        names = ("scaling", "dilations", "biases", "channels")
        return {name: getattr(self, name) for name in names}

    def __call__(self, value: Path | str | bytes) -> dict[str, np.ndarray]:
        """The features of one series.

        Raises:
            EmptyValue, DataError: as of `SeriesProcessor`.
        """
        return self.of(torch.from_numpy(self.series(value)["values"].T.copy()))

    def of(self, x_CT: Tensor) -> dict[str, np.ndarray]:
        """The features of scaled values."""
        length, shares = x_CT.shape[1], []
        for place, (dilation, weights, biases) in enumerate(
            zip(self.dilations, self._weights, self._biases, strict=True)
        ):
            said = _convolved(x_CT, weights, dilation)
            edge = WIDTH // 2 * dilation
            padded = (torch.arange(len(KERNELS)) + place) % 2 == 0
            if length <= 2 * edge:  # no step of it is far enough from both ends
                shares.append((said.unsqueeze(1) > biases.unsqueeze(2)).float().mean(dim=2))
                continue
            share = torch.empty(biases.shape)
            for chosen, part in ((padded, said), (~padded, said[:, edge : length - edge])):
                share[chosen] = (part[chosen].unsqueeze(1) > biases[chosen].unsqueeze(2)).float().mean(dim=2)
            shares.append(share)
        return {"shares": torch.cat([share.flatten() for share in shares]).numpy()}

    def blank(self) -> dict[str, np.ndarray]:
        """Zeros."""
        return {"shares": np.zeros(self.size, np.float32)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U series → `{"shares": [U, F]}`."""
        return {"shares": torch.from_numpy(np.stack([value["shares"] for value in values]))}


def _dilations(length: int, per_kernel: int) -> tuple[list[int], list[int]]:
    """Dilations spaced evenly in their logarithms, and how many features each has of a kernel."""
    most = min(per_kernel, DILATIONS)
    exponents = np.linspace(0, math.log2((length - 1) / (WIDTH - 1)) if length > WIDTH else 0, most)
    dilations, counts = np.unique(np.floor(2.0**exponents).astype(int), return_counts=True)
    shared = np.floor(counts * (per_kernel / most)).astype(int)
    for place in range(per_kernel - int(shared.sum())):
        shared[place % len(shared)] += 1
    return dilations.tolist(), shared.tolist()


def _subsets(channels: int, random: np.random.Generator) -> list[list[int]]:
    """For each kernel the channels that are added: few more often than many, nine at most."""
    top = math.log2(min(channels, WIDTH) + 1)
    sizes = np.floor(2 ** random.uniform(0, top, len(KERNELS))).astype(int).clip(1, min(channels, WIDTH))
    return [sorted(random.choice(channels, size, replace=False).tolist()) for size in sizes]


def _weights(chosen: list[list[int]], channels: int) -> Tensor:
    """`[84, C, 9]` a kernel's weights in each of its channels."""
    weights = torch.zeros(len(KERNELS), channels, WIDTH)
    for kernel, (twos, places) in enumerate(zip(KERNELS, chosen, strict=True)):
        pattern = torch.full((WIDTH,), -1.0)
        pattern[list(twos)] = 2.0
        weights[kernel, places] = pattern
    return weights


def _convolved(x_CT: Tensor, weights: Tensor, dilation: int) -> Tensor:
    """`[84, T]` what the kernels say, zeros beyond the ends."""
    return F.conv1d(x_CT.unsqueeze(0), weights, dilation=dilation, padding=WIDTH // 2 * dilation)[0]
