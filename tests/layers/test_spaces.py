"""Spaces against torch's distributions and by hand."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli
from torch.distributions import Categorical as Classes
from torch.distributions.kl import kl_divergence

from plait.layers.spaces import Binary, Categorical, Problem, Real, Space, split

SPACES: list[Space] = [Categorical(3), Binary(4), Real(), Real(2)]
SAID = {space: torch.randn(5, 2, space.width, generator=torch.Generator().manual_seed(0)) for space in SPACES}


def mean_of(space: Space, parameters: torch.Tensor) -> torch.Tensor:
    """Probabilities, or numbers."""
    if isinstance(space, Real):
        return parameters
    return parameters.softmax(-1) if isinstance(space, Categorical) else parameters.sigmoid()


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_mixture_has_the_weighted_mean_of_probabilities(space: Space) -> None:
    said, weights = SAID[space], torch.tensor([0.25, 0.75]).expand(5, 2)
    expected = (mean_of(space, said) * weights.unsqueeze(-1)).sum(dim=1)
    torch.testing.assert_close(mean_of(space, space.mix(said, weights)), expected)
    only = torch.tensor([[1.0, 0.0]]).expand(5, 2)
    torch.testing.assert_close(mean_of(space, space.mix(said, only)), mean_of(space, said[:, 0]))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_columns_say_as_much_as_the_predictions(space: Space) -> None:
    said = SAID[space][:, 0]
    torch.testing.assert_close(mean_of(space, space.columns(said)), mean_of(space, said))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distances_are_divergences(temperature: float) -> None:
    for space, make in ((Categorical(3), Classes), (Binary(4), Bernoulli)):
        given, wanted = SAID[space][:, 0], SAID[space][:, 1]
        apart = kl_divergence(make(logits=wanted / temperature), make(logits=given / temperature))
        expected = temperature**2 * (apart if space.width == 3 else apart.sum(dim=-1))
        torch.testing.assert_close(space.distance(given, wanted, temperature), expected)
        torch.testing.assert_close(space.distance(wanted, wanted, temperature), torch.zeros(5), atol=1e-5, rtol=0)
    numbers = SAID[Real(2)]
    found = Real(2).distance(numbers[:, 0], numbers[:, 1], temperature)
    torch.testing.assert_close(
        found, torch.nn.functional.mse_loss(numbers[:, 0], numbers[:, 1], reduction="none").mean(1)
    )


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_problems_answer_each_prediction_once(space: Space) -> None:
    answered = [place for problem in space.problems() for place in range(problem.start, problem.start + problem.width)]
    assert answered == list(range(space.width))


def test_problems_know_which_rows_have_an_answer() -> None:
    known, y = Problem(0, 3, 3).known(np.array([2, -1, 0, -2]))
    assert known.tolist() == [True, False, True, False] and y.tolist() == [2, 0]
    known, y = Problem(1, 1, 2, 1).known(np.array([[0.0, 1.0], [np.nan, np.nan], [1.0, 0.0]], np.float32))
    assert known.tolist() == [True, False, True] and y.tolist() == [1, 0] and y.dtype == np.int64
    known, y = Problem(0, 1, 0).known(np.array([-3.5, np.nan]))
    assert known.tolist() == [True, False] and y.tolist() == [-3.5]


def test_predictions_of_several_targets_are_cut_up_in_order() -> None:
    parts = split(torch.arange(8).reshape(1, 8), [Categorical(3), Real(), Binary(4)])
    assert [(said.tolist(), type(space)) for said, space in parts] == [
        ([[0, 1, 2]], Categorical),
        ([[3]], Real),
        ([[4, 5, 6, 7]], Binary),
    ]
