"""Which head and which columns a method gets that needs no loop."""

import pytest
import torch

from plait.build.fitted import FITTED, fitted_columns, fitted_head
from plait.encoders.tabular_columns import ScaledColumns
from plait.encoders.tabular_raw import RawTabular
from plait.heads import CLOSED_FORM, TreeHead
from plait.processors import TabularProcessor
from plait.types import Fused, Tokens


@pytest.mark.parametrize("method", FITTED)
def test_every_method_has_its_head_and_columns(method: str) -> None:
    processor = TabularProcessor.fit({"p": [1.0, 3.0, 5.0], "c": ["a", "b", "a"]}, ["p"], [], ["c"])
    columns = fitted_columns(method, processor)
    x = columns(processor.collate([processor({"p": 3, "c": "b"}), processor({})])).x
    assert x.shape == (2, 1, columns.out_dim)
    head = fitted_head(method, {"tabular": columns.out_dim}, {"kind": 3, "price": 1})
    fused = Fused(x[:, 0], lambda: Tokens.missing(2, 1))
    assert {name: answer.shape for name, answer in head(fused).items()} == {"kind": (2, 3), "price": (2, 1)}
    trees = isinstance(head, TreeHead)
    assert isinstance(columns, RawTabular if trees else ScaledColumns) and trees == (method not in CLOSED_FORM)
    assert bool(torch.isnan(x[1]).any()) == trees  # only trees read what is missing as such
