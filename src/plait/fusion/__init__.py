"""Tokens of several modalities → `Fused`: one file a method.

A fusion is an `nn.Module` built from `in_dims` (modality → width) and `out_dim`; `forward(tokens) -> Fused`. An
missing modality (its mask all False) contributes nothing. The tests run over `FUSIONS`, so listing a method here is
what tests it.

Of a late fusion (`stage = "late"`) `out_dim` is the number of raw predictions and `pooled` the answer itself; it also
takes the `spaces` of the targets (`layers/spaces.py`) and gives what each modality says `alone`.
"""

from collections.abc import Callable

from torch import nn

from plait.fusion.block import BlockFusion
from plait.fusion.bottleneck import BottleneckFusion
from plait.fusion.co_attention import CoAttentionFusion
from plait.fusion.compact_bilinear import CompactBilinearFusion
from plait.fusion.concat import ConcatFusion
from plait.fusion.film import FilmFusion
from plait.fusion.gated import GatedFusion
from plait.fusion.late_mean import LateMeanFusion
from plait.fusion.late_product import LateProductFusion
from plait.fusion.late_stacking import StackingFusion
from plait.fusion.late_weighted import LateWeightedFusion
from plait.fusion.layerwise import LayerwiseFusion
from plait.fusion.low_rank import LowRankFusion
from plait.fusion.mfb import MFBFusion
from plait.fusion.mlb import MLBFusion
from plait.fusion.mult import MulTFusion
from plait.fusion.mutan import MutanFusion
from plait.fusion.perceiver import PerceiverFusion
from plait.fusion.product import ProductFusion
from plait.fusion.self_attention import SelfAttentionFusion
from plait.fusion.single_stream import SingleStreamFusion
from plait.fusion.sum import SumFusion
from plait.fusion.tensor import TensorFusion
from plait.fusion.weighted_sum import WeightedSumFusion

FUSIONS: dict[str, Callable[..., nn.Module]] = {
    "single_stream": SingleStreamFusion,
    "concat": ConcatFusion,
    "sum": SumFusion,
    "weighted_sum": WeightedSumFusion,
    "product": ProductFusion,
    "gated": GatedFusion,
    "film": FilmFusion,
    "self_attention": SelfAttentionFusion,
    "co_attention": CoAttentionFusion,
    "mult": MulTFusion,
    "bottleneck": BottleneckFusion,
    "perceiver": PerceiverFusion,
    "tensor": TensorFusion,
    "low_rank": LowRankFusion,
    "mlb": MLBFusion,
    "mutan": MutanFusion,
    "mfb": MFBFusion,
    "block": BlockFusion,
    "compact_bilinear": CompactBilinearFusion,
    "layerwise": LayerwiseFusion,
    "late_mean": LateMeanFusion,
    "late_weighted": LateWeightedFusion,
    "late_product": LateProductFusion,
    "late_stacking": StackingFusion,
}

__all__ = [
    "FUSIONS",
    "BlockFusion",
    "BottleneckFusion",
    "CoAttentionFusion",
    "CompactBilinearFusion",
    "ConcatFusion",
    "FilmFusion",
    "GatedFusion",
    "LateMeanFusion",
    "LateProductFusion",
    "LateWeightedFusion",
    "LayerwiseFusion",
    "LowRankFusion",
    "MFBFusion",
    "MLBFusion",
    "MulTFusion",
    "MutanFusion",
    "PerceiverFusion",
    "ProductFusion",
    "SelfAttentionFusion",
    "SingleStreamFusion",
    "StackingFusion",
    "SumFusion",
    "TensorFusion",
    "WeightedSumFusion",
]
