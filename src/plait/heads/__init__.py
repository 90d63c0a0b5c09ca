"""Heads: from what a fusion gives (`Fused`) to predictions.

`CLOSED_FORM` holds those that are fitted to what frozen encoders say, without a training loop.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from plait.heads.embed import EmbedHead
from plait.heads.events import EventsHead
from plait.heads.kernel import KernelHead
from plait.heads.linear import LinearHead
from plait.heads.predict import PredictHead
from plait.heads.split import SplitHead
from plait.heads.tag import TagHead
from plait.heads.together import TogetherHead
from plait.heads.trees import TreeHead
from plait.heads.write import WriteHead

CLOSED_FORM: dict[str, Callable[..., Any]] = {
    "linear": LinearHead,
    "kernel_sum": partial(KernelHead, combine="sum"),
    "kernel_product": partial(KernelHead, combine="product"),
}

__all__ = [
    "CLOSED_FORM",
    "EmbedHead",
    "EventsHead",
    "KernelHead",
    "LinearHead",
    "PredictHead",
    "SplitHead",
    "TagHead",
    "TogetherHead",
    "TreeHead",
    "WriteHead",
]
