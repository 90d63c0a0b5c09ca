"""Generic parts: attention, transformer blocks, MLPs, pooling, positions. They know no modality."""

from plait import former_names
from plait.layers.attention import CausalSelfAttention, CrossAttention, SelfAttention, Visible, near
from plait.layers.missing_token import MissingToken
from plait.layers.mlp import MLP
from plait.layers.named import NamedModules
from plait.layers.pooling import masked_mean
from plait.layers.positions import PlaceEmbedding, fourier_features, sinusoidal_positions
from plait.layers.precise import at_least_float32
from plait.layers.products import product_of_present, signed_root
from plait.layers.projection import ModalityProjection, joined
from plait.layers.small_batch_linear import small_batch_linear, use_fast_linear
from plait.layers.temporal import TEMPORAL, temporal_maker
from plait.layers.transformer import CrossBlock, DecoderBlock, TransformerBlock

__all__ = [
    "MLP",
    "TEMPORAL",
    "CausalSelfAttention",
    "CrossAttention",
    "CrossBlock",
    "DecoderBlock",
    "MissingToken",
    "ModalityProjection",
    "NamedModules",
    "PlaceEmbedding",
    "SelfAttention",
    "TransformerBlock",
    "Visible",
    "at_least_float32",
    "fourier_features",
    "joined",
    "masked_mean",
    "near",
    "product_of_present",
    "signed_root",
    "sinusoidal_positions",
    "small_batch_linear",
    "temporal_maker",
    "use_fast_linear",
]


__getattr__ = former_names(
    __name__,
    {
        "AbsentToken": "plait.layers.missing_token.MissingToken",
        "few_rows": "plait.layers.small_batch_linear.small_batch_linear",
        "hasten": "plait.layers.small_batch_linear.use_fast_linear",
    },
)
