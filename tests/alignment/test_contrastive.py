"""Contrastive losses against numpy, by hand, and without the pairs that are no negatives."""

import numpy as np
import pytest
import torch

from plait.alignment import SharedSpace, info_nce, sigmoid_loss, triplet_loss
from plait.types import Tokens


def pair(rows: int = 5, dim: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.nn.functional.normalize(torch.randn(rows, dim, generator=generator), dim=1) for _ in range(2)]
    return made[0], made[1]


def test_info_nce_against_numpy() -> None:
    a, b = pair()
    logits = (a @ b.T).numpy() / 0.1
    rows = -np.log(np.exp(logits).diagonal() / np.exp(logits).sum(axis=1))
    columns = -np.log(np.exp(logits).diagonal() / np.exp(logits).sum(axis=0))
    assert float(info_nce(a, b, 0.1)) == pytest.approx((rows.mean() + columns.mean()) / 2, rel=1e-5)
    assert float(info_nce(a, b, 0.1)) == pytest.approx(float(info_nce(b, a, 0.1)), rel=1e-6)


def test_sigmoid_loss_against_numpy() -> None:
    a, b = pair()
    logits = (a @ b.T).numpy() / 0.2 - 3.0
    sign = 2 * np.eye(5) - 1
    expected = np.log1p(np.exp(-sign * logits)).sum() / 5
    assert float(sigmoid_loss(a, b, 0.2, -3.0)) == pytest.approx(expected, rel=1e-5)


def test_triplets_by_hand() -> None:
    a, b = torch.eye(2), torch.tensor([[0.9, 0.5], [0.0, 0.6]])
    # scores: 0.9 0.0 / 0.5 0.6; a row: 0.2 + 0.0 - 0.9 < 0 and 0.2 + 0.5 - 0.6 = 0.1; a column: < 0 and < 0
    assert float(triplet_loss(a, b, 0.2)) == pytest.approx(0.05)
    assert float(triplet_loss(a, b, 0.2, hardest=False)) == pytest.approx(0.05)
    scores = [[0.8, 0.9, 0.7], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    hard = triplet_loss(torch.eye(3), torch.tensor(scores).T, 0.1)
    # the first row's hardest costs 0.1 + 0.9 - 0.8; of the columns none costs anything: 0.1 + 0.9 - 1.0 = 0
    assert float(hard) == pytest.approx(0.2 / 3, abs=1e-6)


@pytest.mark.parametrize("loss", [lambda a, b, s: info_nce(a, b, 0.1, s), lambda a, b, s: triplet_loss(a, b, 0.5, s)])
def test_a_twin_that_belongs_too_is_no_negative(loss: object) -> None:
    a, b = pair(4)
    doubled_a, doubled_b = torch.cat([a, a[:1]]), torch.cat([b, b[:1]])  # row 4 is row 0 again
    same = torch.zeros(5, 5, dtype=torch.bool)
    same[0, 4] = same[4, 0] = True
    masked = loss(doubled_a, doubled_b, same)  # type: ignore[operator]
    assert torch.isfinite(masked) and masked < loss(doubled_a, doubled_b, None) + 1e-7  # type: ignore[operator]
    every = torch.ones(5, 5, dtype=torch.bool)
    assert float(loss(doubled_a, doubled_b, every)) == pytest.approx(0, abs=1e-6)  # type: ignore[operator]


def test_sigmoid_loss_leaves_twins_out() -> None:
    a, b = pair(3)
    same = torch.zeros(3, 3, dtype=torch.bool)
    same[0, 1] = True
    logits = (a @ b.T).numpy() / 0.2 - 1.0
    terms = np.log1p(np.exp(-(2 * np.eye(3) - 1) * logits))
    assert float(sigmoid_loss(a, b, 0.2, -1.0, same)) == pytest.approx((terms.sum() - terms[0, 1]) / 3, rel=1e-5)


def test_gradients_reach_temperature_and_bias() -> None:
    a, b = pair()
    temperature, bias = torch.tensor(0.1, requires_grad=True), torch.tensor(-10.0, requires_grad=True)
    (info_nce(a, b, temperature) + sigmoid_loss(a, b, temperature, bias)).backward()
    assert temperature.grad is not None and bias.grad is not None and torch.isfinite(temperature.grad + bias.grad)


def test_losses_and_space_keep_float64() -> None:
    a, b = (x.double() for x in pair())
    for loss in (
        info_nce(a, b, 0.1),
        info_nce(a, b, 0.1, hardness=0.5),
        sigmoid_loss(a, b, 0.2, -3.0),
        triplet_loss(a, b),
    ):
        assert loss.dtype == torch.float64
    space = SharedSpace({"photo": 7, "title": 7}, out_dim=4, power=0.5).double().eval()
    vectors = space({"photo": Tokens.single(a), "title": Tokens.missing(5, 7, dtype=torch.float64)}).pooled
    assert vectors.dtype == torch.float64
    torch.testing.assert_close(vectors[:, :4].norm(dim=1), torch.ones(5).double(), rtol=0, atol=1e-12)


def vectors(rows: int, sides: int, dim: int = 5, bias: float = 0.0) -> torch.Tensor:
    torch.manual_seed(rows + sides)
    unit = torch.nn.functional.normalize(torch.randn(rows, sides, dim), dim=2)
    return torch.cat([unit * 2.0, torch.full((rows, sides, 1), bias)], dim=2)  # scaled by two: logits are 4 cosines


def test_hard_negatives_count_more_against_numpy() -> None:
    given_ = vectors(5, 2)
    x, y = given_[:, 0, :-1].double().numpy(), given_[:, 1, :-1].double().numpy()
    logits, beta, losses = x @ y.T, 0.7, []
    for scores in (logits, logits.T):
        for i in range(5):
            others = np.delete(scores[i], i)
            weight = np.exp(beta * others) / np.exp(beta * others).sum() * len(others)
            losses.append(-np.log(np.exp(scores[i, i]) / (np.exp(scores[i, i]) + (weight * np.exp(others)).sum())))
    found = info_nce(given_[:, 0, :-1], given_[:, 1, :-1], 1.0, hardness=beta)
    assert float(found) == pytest.approx(np.mean(losses), abs=1e-5)
    assert found > info_nce(given_[:, 0, :-1], given_[:, 1, :-1], 1.0)


def test_a_standardised_space_reads_features_on_one_scale() -> None:
    """Against numpy: the mean and deviation of rows that have the value, over all batches; a missing one stays zero."""
    torch.manual_seed(0)
    space = SharedSpace({"photo": 5}, out_dim=5, hidden=None, standardise=True).double()
    x = torch.randn(40, 5, dtype=torch.float64) * torch.tensor([1e3, 1.0, 1e-3, 5.0, 2.0]) + 7
    present = torch.arange(40) % 4 > 0
    for rows in (slice(0, 20), slice(20, 40)):
        said = space({"photo": Tokens.single(x[rows], present[rows])}).pooled
        assert not said[~present[rows]].any()
    space.eval()
    halves = [x[rows][present[rows]] for rows in (slice(0, 20), slice(20, 40))]
    mean = torch.stack([half.mean(dim=0) for half in halves]).mean(dim=0)
    variance = torch.stack([half.var(dim=0) for half in halves]).mean(dim=0)
    expected = torch.nn.functional.normalize((x - mean) / (variance + 1e-5).sqrt(), dim=1)
    torch.testing.assert_close(space({"photo": Tokens.single(x)}).pooled, expected)
