"""Projectors read each value by itself."""

import pytest
import torch

from plait.decoders.projectors import PROJECTORS
from plait.errors import DataError
from plait.types import Tokens


@pytest.mark.parametrize("name", PROJECTORS)
def test_projectors_read_each_value_by_itself(name: str) -> None:
    torch.manual_seed(0)
    project = PROJECTORS[name](6, 16, 0.3).eval()
    one, two = torch.randn(2, 9, 6), torch.randn(2, 9, 6)
    every, gone = torch.ones(2, 9, dtype=torch.bool), torch.tensor([[True] * 9, [False] * 9])
    both = project(Tokens(torch.cat([one, two], dim=1), torch.cat([every, gone], dim=1), items=2))
    alone, other = project(Tokens(one, every)), project(Tokens(two, every))
    each = alone.x.shape[1]
    assert both.items == 2 and both.x.shape == (2, 2 * each, 16)
    torch.testing.assert_close(both.x[:, :each], alone.x)
    torch.testing.assert_close(both.x[0, each:], other.x[0])
    assert both.mask[0].all() and both.mask[1].tolist() == [True] * each + [False] * each
    noise = Tokens(torch.cat([one, two.fill_(float("nan"))], dim=1), torch.cat([every, ~every], dim=1), items=2)
    torch.testing.assert_close(project(noise).x[:, :each], alone.x)
    assert project(noise).x[:, :each].std() < 1  # of the size of words


def test_pixel_shuffle_by_hand() -> None:
    project = PROJECTORS["pixel_shuffle"](1, 4, 1.0)
    project.map = torch.nn.Identity()
    found = project(Tokens(torch.arange(16.0).view(1, 16, 1), torch.ones(1, 16, dtype=torch.bool))).x[0]
    assert found.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    with pytest.raises(DataError, match="no square grid"):
        project(Tokens.single(torch.zeros(1, 1)))
    with pytest.raises(ValueError, match="by"):
        PROJECTORS["pixel_shuffle"](1, 4, 1.0, by=1)
