"""Gradients that keep one modality from learning for all (OGM-GE)."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from plait.types import Output

RowLoss = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]


class GradientModulation:
    """On-the-fly gradient modulation with generalisation enhancement (OGM-GE, 2203.15332).

    A modality's score is the mean likelihood, exp(-loss), that the model gives to the truth with the others masked. An
    encoder whose modality scores above the mean of the others, by a ratio r, learns by 1 - tanh(strength * r) of its
    step. The gradient of every encoder's matrices gets Gaussian noise with its own deviation.

    Where we differ: the paper cuts a linear layer over concatenated features in parts to score two modalities; masking
    works for any fusion, and two or more. The paper multiplies the gradient, which under SGD is the same; Adam divides
    a gradient by its size, and would undo it.

    Args:
        encoders: modality → encoder; frozen ones have no gradient and stay as they are.
        row_loss: (predictions, targets) → `[B]` loss of each row.
        strength: alpha of the paper.
        seed: of the noise, which is a function of it and the step, so that resumed and parallel runs agree.
        accelerator: of the run, where there are several processes.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        row_loss: RowLoss,
        strength: float,
        seed: int = 0,
        accelerator: Accelerator | None = None,
    ) -> None:
        self.encoders, self.row_loss, self.strength, self.seed = dict(encoders), row_loss, strength, seed
        self.accelerator = accelerator
        self.sums: dict[str, Tensor] = {}

    def note(self, output: Output, targets: Mapping[str, Tensor]) -> None:
        """Score the modalities of a batch, until the next step of the optimizer."""
        for name, alone in output.masked.items():
            with torch.no_grad():
                likelihood = torch.exp(-self.row_loss(alone.predictions, targets).float())
                present = alone.present.float()
                batch_sums = torch.stack([(likelihood * present).sum(), present.sum()])
                self.sums[name] = batch_sums + self.sums.get(name, torch.zeros_like(batch_sums))

    def coefficients(self) -> dict[str, float]:
        """What each encoder's step is multiplied by; one where there is nothing to compare."""
        return modulation({name: (float(s[0]), float(s[1])) for name, s in self._agreed().items()}, self.strength)

    @contextmanager
    def __call__(self, step: int) -> Iterator[None]:
        """Clipping and the optimizer's step go in here: noise is added before, and part of the step undone after."""
        factors, self.sums = self.coefficients(), {}
        slowed: list[tuple[nn.Parameter, Tensor, float]] = []
        for place, (name, encoder) in enumerate(self.encoders.items()):
            for number, parameter in enumerate(encoder.parameters()):
                if parameter.grad is not None:
                    _add_noise(parameter.grad, (self.seed, step, place, number))
                    if factors.get(name, 1.0) < 1:
                        slowed.append((parameter, parameter.detach().clone(), factors[name]))
        yield
        with torch.no_grad():
            for parameter, before, factor in slowed:
                parameter.copy_(torch.lerp(before, parameter, factor))

    def _agreed(self) -> dict[str, Tensor]:
        """Sums over all processes, whose gradients are the same by now."""
        if self.accelerator is None or self.accelerator.num_processes == 1:
            return self.sums
        added: Any = self.accelerator.reduce(torch.stack([self.sums[name] for name in self.encoders]), "sum")
        return dict(zip(self.encoders, added, strict=True))


def _add_noise(gradient: Tensor, seed: tuple[int, ...]) -> None:
    if gradient.ndim > 1:
        generator = torch.Generator(gradient.device).manual_seed(hash(seed) % 2**62)
        noise = torch.randn(gradient.shape, generator=generator, device=gradient.device, dtype=gradient.dtype)
        gradient.add_(noise * gradient.std())


def modulation(scores: Mapping[str, tuple[float, float]], strength: float) -> dict[str, float]:
    """Coefficients of equation 10 of the paper, for two modalities or more.

    Args:
        scores: modality → sum of the likelihoods of its rows, and their number.
        strength: alpha.

    >>> factors = modulation({"sound": (6.0, 10), "picture": (3.0, 10)}, strength=0.5)
    >>> round(factors["sound"], 3), factors["picture"]  # 1 - tanh(0.5 * 2)
    (0.238, 1.0)
    """
    means = {name: total / rows for name, (total, rows) in scores.items() if rows > 0}
    coefficients = dict.fromkeys(scores, 1.0)
    for name, mean in means.items():
        others = [value for other, value in means.items() if other != name]
        if not others or not sum(others):
            continue
        ratio = mean / (sum(others) / len(others))
        if ratio > 1:
            coefficients[name] = 1 - math.tanh(strength * ratio)
    return coefficients
