"""Modules by the names of columns."""

import pytest
import torch
from torch import nn

from plait.layers import NamedModules


@pytest.mark.parametrize("name", ["a.b", "keys", "type", "price (USD)", "", "training"])
def test_modules_take_any_column_name(name: str) -> None:
    modules = NamedModules({name: nn.Linear(2, 2), "other": nn.Linear(1, 1)})
    again = NamedModules({name: nn.Linear(2, 2), "other": nn.Linear(1, 1)})
    again.load_state_dict(modules.state_dict())
    assert torch.equal(again[name].weight, modules[name].weight)
    assert name in modules and len(modules) == 2
