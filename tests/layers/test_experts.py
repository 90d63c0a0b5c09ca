"""Each modality's own predictor, and how their opinions are weighed."""

import pytest
import torch

from fakes import fake_tokens
from plait.layers import masked_mean
from plait.layers.experts import Experts, shares, stacked
from plait.layers.spaces import Categorical, Real


def test_each_says_what_its_own_tokens_say_and_nothing_where_there_are_none() -> None:
    torch.manual_seed(0)
    experts = Experts({"a": 4, "b": 3}, 2, 0, 0.0)
    tokens = {"a": fake_tokens(3, 4, 4, absent=(1,)), "b": fake_tokens(3, 2, 3)}
    said, present = experts(tokens)
    assert present.tolist() == [[True, True], [False, True], [True, True]] and said[1, 0].tolist() == [0, 0]
    linear = experts.heads["b"].layers[0]
    torch.testing.assert_close(said[:, 1], masked_mean(tokens["b"]) @ linear.weight.T + linear.bias)
    with pytest.raises(ValueError, match="at least one modality"):
        Experts({}, 2, 0, 0.0)


def test_shares_add_to_one_over_what_is_there() -> None:
    present = torch.tensor([[True, True], [True, False], [False, False]])
    assert shares(torch.tensor([3.0, 1.0]), present).tolist() == [[0.75, 0.25], [1.0, 0.0], [0.5, 0.5]]


def test_columns_for_stacking_are_zero_where_absent_and_say_who_is_there() -> None:
    said = torch.tensor([[[0.0, 0.0, 5.0], [1.0, 3.0, 7.0]]])
    found = stacked(said, torch.tensor([[True, False]]), [Categorical(2), Real(1)])
    width = (found.shape[1] - 2) // 2
    assert found[0, width : 2 * width].abs().sum() == 0 and found[0, -2:].tolist() == [1.0, 0.0]
    assert float(found[0, width - 1]) == 5.0
