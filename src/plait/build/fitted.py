"""Methods under `fusion.method` that are fitted to what frozen encoders say, and need no training loop."""

from collections.abc import Mapping
from typing import Any

from plait.encoders.tabular_columns import ScaledColumns
from plait.encoders.tabular_raw import RawTabular
from plait.heads import CLOSED_FORM, TreeHead

BOOSTED = "boosted"
FITTED = (BOOSTED, *CLOSED_FORM)


def fitted_head(method: str, in_dims: Mapping[str, int], out_dims: Mapping[str, int]) -> Any:
    """The head of such a method, not fitted yet."""
    return TreeHead(out_dims, sum(in_dims.values())) if method == BOOSTED else CLOSED_FORM[method](in_dims, out_dims)


def fitted_columns(method: str, processor: Any) -> Any:
    """What reads numbers and categories: trees take them as they are, linear models and kernels on one scale."""
    return RawTabular(processor) if method == BOOSTED else ScaledColumns(processor)
