"""What the raw predictions of one target are: the parameters of a distribution.

Late fusions, stacking, boosted trees and distillation differ by the distribution of an answer, not by the task. A task
says which space it answers in, and they ask the space; a task without one (retrieval) has nothing for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor

Temperature = Annotated[float, Ge(1e-3), Le(1e3)]  # that logits are divided by: above 1 probabilities are less sure


@dataclass(frozen=True)
class Problem:
    """A model to fit outside of gradient descent, of which a space has one or several.

    Args:
        start: of the raw predictions, the first that it answers.
        width: how many of them.
        classes: 0 for a number, 2 for yes or no (one logit where `width` is 1), else classes that exclude each other.
        label: the column of the truth, where that is `[N, W]`.
    """

    start: int
    width: int
    classes: int
    label: int | None = None

    def known(self, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[N]` bool, the rows that have an answer (not negative, of a number not NaN); and theirs."""
        y = truth if self.label is None else truth[:, self.label]
        known = np.isfinite(y) if self.classes == 0 else y >= 0
        return known, y[known].astype(np.int64) if self.classes else y[known]

    def parameters(self, y: np.ndarray) -> np.ndarray:
        """`[width]` raw predictions of who answers every row alike: the mean, or how often each class comes."""
        if self.classes == 0:
            return np.array([y.mean()])
        share = np.bincount(y, minlength=self.classes) / len(y) if len(y) else np.full(self.classes, 1 / self.classes)
        return self.from_shares(share[None])[0]

    def from_shares(self, shares: np.ndarray) -> np.ndarray:
        """`[N, width]` raw predictions from `[N, classes]` probabilities."""
        with np.errstate(divide="ignore"):  # what never comes has a logarithm of minus infinity
            logs = np.log(shares)
        return logs[:, 1:] - logs[:, :1] if self.width == 1 else logs


class Space(Protocol):
    """The distribution whose parameters a target's raw predictions are.

    `additive`: evidence of independent witnesses adds up in these parameters, as it does in logits.
    """

    @property
    def width(self) -> int: ...

    @property
    def additive(self) -> bool: ...

    def mix(self, said_BMW: Tensor, weights_BM: Tensor) -> Tensor:
        """`[B, W]` parameters of the weighted mean of M distributions."""
        ...

    def columns(self, logits: Tensor) -> Tensor:
        """`[…, W]` what a linear model reads of raw predictions."""
        ...

    def distance(self, given: Tensor, wanted: Tensor, temperature: float) -> Tensor:
        """`[…]` how far predictions `[…, W]` are from those of a teacher; zero where they agree."""
        ...

    def problems(self) -> list[Problem]:
        """What trees or linear models fit, one after the other."""
        ...


@dataclass(frozen=True)
class Categorical:
    """One of several classes: logits under a softmax.

    >>> said = torch.tensor([[[0.0, 0.0], [20.0, 0.0]]])
    >>> Categorical(2).mix(said, torch.tensor([[0.5, 0.5]])).exp().round(decimals=2).tolist()
    [[0.75, 0.25]]
    """

    width: int
    additive: bool = True

    def mix(self, said_BMW: Tensor, weights_BM: Tensor) -> Tensor:
        """Log-probabilities."""
        return torch.logsumexp(F.log_softmax(said_BMW, dim=2) + _log(weights_BM), dim=1)

    def columns(self, logits: Tensor) -> Tensor:
        """Log-probabilities."""
        return F.log_softmax(logits, dim=-1)

    def distance(self, given: Tensor, wanted: Tensor, temperature: float) -> Tensor:
        """Kullback-Leibler divergence at a temperature, times its square (1503.02531)."""
        given, wanted = ((logits.float() / temperature).log_softmax(dim=-1) for logits in (given, wanted))
        return temperature**2 * F.kl_div(given, wanted, reduction="none", log_target=True).sum(dim=-1)

    def problems(self) -> list[Problem]:
        """One, of all classes."""
        return [Problem(0, self.width, self.width)]


@dataclass(frozen=True)
class Binary:
    """Independent answers of yes or no: logits under a sigmoid."""

    width: int
    additive: bool = True

    def mix(self, said_BMW: Tensor, weights_BM: Tensor) -> Tensor:
        """Logits."""
        yes = torch.logsumexp(F.logsigmoid(said_BMW) + _log(weights_BM), dim=1)
        no = torch.logsumexp(F.logsigmoid(-said_BMW) + _log(weights_BM), dim=1)
        return yes - no

    def columns(self, logits: Tensor) -> Tensor:
        """Logits."""
        return logits

    def distance(self, given: Tensor, wanted: Tensor, temperature: float) -> Tensor:
        """The sum of the labels' divergences at a temperature, times its square."""
        given, wanted = given.float() / temperature, wanted.float() / temperature
        share = wanted.sigmoid()
        apart = F.binary_cross_entropy_with_logits(given, share, reduction="none")
        apart = apart - F.binary_cross_entropy_with_logits(wanted, share, reduction="none")
        return temperature**2 * apart.sum(dim=-1)

    def problems(self) -> list[Problem]:
        """One a label."""
        return [Problem(label, 1, 2, label) for label in range(self.width)]


@dataclass(frozen=True)
class Real:
    """Numbers: means under a normal distribution, on the standard scale."""

    width: int = 1
    additive: bool = False

    def mix(self, said_BMW: Tensor, weights_BM: Tensor) -> Tensor:
        """The weighted mean."""
        return (weights_BM.unsqueeze(-1) * said_BMW).sum(dim=1)

    def columns(self, logits: Tensor) -> Tensor:
        """The numbers."""
        return logits

    def distance(self, given: Tensor, wanted: Tensor, temperature: float) -> Tensor:
        """The mean square; a temperature does not change what a number is."""
        return (given.float() - wanted.float()).square().mean(dim=-1)

    def problems(self) -> list[Problem]:
        """One a number."""
        if self.width == 1:
            return [Problem(0, 1, 0)]
        return [Problem(place, 1, 0, place) for place in range(self.width)]


def split(logits: Tensor, spaces: Sequence[Space]) -> list[tuple[Tensor, Space]]:
    """Raw predictions of all targets `[…, O]`, cut up by space."""
    return list(zip(logits.split([space.width for space in spaces], dim=-1), spaces, strict=True))


def _log(weights_BM: Tensor) -> Tensor:
    return weights_BM.clamp(min=1e-30).log().unsqueeze(-1)
