"""How a model's score falls as the values of one modality get worse."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from plait.data.batches import Source, TableSource
from plait.errors import RecipeError, unknown
from plait.modalities import Noise
from plait.modalities import noises as every_noise
from plait.processors import Features, Processor

EVERY = "all"


def noise_curves(
    scorer: Callable[[Source], float], source: TableSource, noises: Sequence[str], *, whole: float, seed: int = 0
) -> dict[str, dict[str, dict[float, float]]]:
    """Score a model as the values of a modality get worse. No outputs are stored: encoders run on every noisy value.

    Args:
        scorer: source → score of the model on its rows.
        source: what the rows come from.
        noises: names (see `plait.modalities.noises`), or `all` for those of the model's modalities.
        whole: the score without noise.
        seed: of the noise.

    Returns:
        modality → noise → level → score; level 0 of `jpeg` stands for the files as they are.

    Raises:
        RecipeError: a noise is unknown, or fits no modality of the model.
    """
    curves: dict[str, dict[str, dict[float, float]]] = {}
    for name, noise, how in chosen_noises(noises, {n: spec.modality for n, spec in source.inputs.items()}):
        curve = curves.setdefault(name, {}).setdefault(noise, {0.0: whole})
        for level in how.levels:
            if level in curve:  # level 0 is the score without noise
                continue
            curve[level] = scorer(_noisy(source, name, how, level, seed))
    return curves


def chosen_noises(noises: Sequence[str], modalities: Mapping[str, str]) -> list[tuple[str, str, Noise]]:
    """Input, name of a noise, and the noise, for all that fit.

    Raises:
        RecipeError: a noise is unknown, or fits none of the inputs.

    >>> [(name, noise) for name, noise, _ in chosen_noises(["all"], {"title": "text"})]
    [('title', 'typos'), ('title', 'word_drop')]
    """
    noise_by_name = {noise: (owner, how) for noise, owner, how in every_noise()}
    for noise in noises:
        if noise != EVERY and noise not in noise_by_name:
            raise RecipeError(unknown("noise", noise, [EVERY, *noise_by_name]))
        if noise != EVERY and noise_by_name[noise][0] not in modalities.values():
            kinds = ", ".join(dict.fromkeys(modalities.values()))
            raise RecipeError(f"noise {noise!r} is for {noise_by_name[noise][0]} columns; the model reads {kinds}")
    names = [*noise_by_name] if EVERY in noises else list(dict.fromkeys(noises))
    return [
        (n, noise, noise_by_name[noise][1])
        for n, kind in modalities.items()
        for noise in names
        if noise_by_name[noise][0] == kind
    ]


def _noisy(source: TableSource, name: str, noise: Noise, level: float, seed: int) -> TableSource:
    """The same rows, one modality of which is read through noise."""
    spec = source.inputs[name]
    worse = replace(spec, processor=NoisyProcessor(spec.processor, noise, level, seed))
    inputs = {**source.inputs, name: worse}
    noisy = TableSource(source.table, inputs, None, source.allow_outside, problems=source.problems)
    noisy.targets = source.targets
    # Stored outputs of a frozen encoder are of the clean values: the noisy column must be encoded anew.
    noisy.encoded = {other: column for other, column in source.encoded.items() if other != name}
    return noisy


class NoisyProcessor:
    """A processor that makes values worse before it reads them; equal values become equally worse.

    Args:
        processor: of the clean values.
        noise: what makes them worse.
        level: how much worse.
        seed: of the draws.
    """

    def __init__(self, processor: Processor, noise: Noise, level: float, seed: int = 0) -> None:
        self.processor, self.noise, self.level, self.seed = processor, noise, level, seed

    def __call__(self, value: Any) -> Features:
        content = value if isinstance(value, bytes) else repr(value).encode()
        random = np.random.default_rng([self.seed, zlib.crc32(content)])
        return self.processor(self.noise.change(value, self.level, random, self.processor))

    def collate(self, values: list[Features]) -> dict[str, Tensor]:
        return self.processor.collate(values)

    def blank(self) -> Features:
        return self.processor.blank()

    def to_json(self) -> dict[str, Any]:
        return self.processor.to_json()
