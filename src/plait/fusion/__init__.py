"""Tokens of several modalities → `Fused`: one file a method.

A fusion is an `nn.Module` built from `in_dims` (modality → width) and `out_dim`; `forward(tokens) -> Fused`. An
absent modality (its mask all False) contributes nothing. The tests run over `FUSIONS`, so listing a method here is
what tests it.
"""

from collections.abc import Callable

from torch import nn

from plait.fusion.concat import ConcatFusion
from plait.fusion.gated import GatedFusion
from plait.fusion.product import ProductFusion
from plait.fusion.sum import SumFusion

FUSIONS: dict[str, Callable[..., nn.Module]] = {
    "concat": ConcatFusion,
    "sum": SumFusion,
    "product": ProductFusion,
    "gated": GatedFusion,
}

__all__ = ["FUSIONS", "ConcatFusion", "GatedFusion", "ProductFusion", "SumFusion"]
