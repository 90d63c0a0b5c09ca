"""Options have types and bounds."""

from pathlib import Path
from typing import Any

import pytest

from fakes import fitted, frame
from plait.errors import PlaitError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": {"method": "self_attention", "heads": 0}}, "fusion.heads: expected a whole number from 1"),
        ({"fusion": {"method": "perceiver", "latents": -1}}, "fusion.latents: expected a whole number from 1"),
        ({"tabular": {"layers": 1e29}}, "tabular.layers: expected"),
        ({"tabular": {"layers": -1}}, "tabular.layers: expected a whole number from 0 to 256"),
        ({"inputs": {"t": {"dropout": 1.5}}}, "inputs.t.dropout: expected a share"),
        ({"train": {"seed": 2**40}}, "train.seed"),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate"),
        ({"head": {"hidden": 10**12}}, "head.hidden"),
        ({"fusion": {"method": "product", "nonsense": 1}}, "no option 'nonsense'"),
    ],
)
def test_options_have_types_and_bounds(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PlaitError, match=message):
        fitted(frame(), tmp_path, **options)
