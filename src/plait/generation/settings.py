"""The settings of a search for texts."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict

from plait.errors import RecipeError

WHOLE = {  # whole numbers, and the bounds of each
    "max_length": (1, 100_000),
    "min_length": (0, 100_000),
    "beams": (1, 1_000),
    "top_k": (0, 10_000_000),
    "best": (1, 1_000_000),
    "seed": (0, 2**32 - 1),
}


COLD, HOT = 1e-3, 1e3  # temperatures at which floats still tell tokens apart


@dataclass
class GenerationSettings:
    """Greedy by default; `beams` above 1 searches, `temperature` above 0 samples.

    Args:
        max_length: tokens at most, including the end.
        min_length: tokens at least, before the end.
        beams: hypotheses a row that are followed at once.
        length_penalty: a hypothesis' score is its log-probability over its length to this power.
        temperature: above 0 tokens are drawn, from a distribution that is flatter the higher it is.
        top_k: draw from so many of the likeliest tokens only; 0 for all.
        top_p: draw from the likeliest tokens that together have this share only (1904.09751).
        repetition_penalty: above 1, tokens that the text has already become less likely (1909.05858).
        best: how many answers per row, best first; at most `beams`, or as many draws.
        seed: of sampling.

    Raises:
        RecipeError: a value is out of range, or two of them contradict each other.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    max_length: int = 32
    min_length: int = 0
    beams: int = 1
    length_penalty: float = 1.0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    best: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise RecipeError(f"generation.{name}: expected a whole number from {low} to {high:,}, got {value!r}")
        for name in ("length_penalty", "temperature", "top_p", "repetition_penalty"):
            if not math.isfinite(getattr(self, name)):
                raise RecipeError(f"generation.{name}: expected a number, got {getattr(self, name)!r}")
        if not 0 < self.top_p <= 1:
            raise RecipeError(f"generation.top_p: expected a share above 0 and up to 1, got {self.top_p!r}")
        if self.temperature and not COLD <= self.temperature <= HOT:
            raise RecipeError(f"generation.temperature: expected 0, or {COLD:g} to {HOT:g}, got {self.temperature:g}")
        if not 0 < self.repetition_penalty <= HOT:
            raise RecipeError(f"generation.repetition_penalty: expected above 0, up to {HOT:g}")
        if self.min_length >= self.max_length:
            raise RecipeError(
                f"generation.min_length={self.min_length} leaves no room below max_length={self.max_length}"
            )
        if self.samples and self.beams > 1:
            raise RecipeError("generation: beams search for the likeliest answer and temperature draws one; choose one")
        if not self.samples and (self.top_k or self.top_p < 1):
            raise RecipeError("generation: top_k and top_p say what is drawn from; set temperature=1 to draw")
        if not self.samples and self.best > self.beams:
            raise RecipeError(f"generation.best={self.best}: {self.beams} beams give no more than {self.beams} answers")

    @property
    def samples(self) -> bool:
        return self.temperature > 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
