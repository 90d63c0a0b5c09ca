"""Generic parts: attention, transformer blocks, MLPs, pooling, positions. They know no modality."""

from plait.layers.absent import AbsentToken
from plait.layers.attention import SelfAttention
from plait.layers.mlp import MLP
from plait.layers.named import NamedModules
from plait.layers.pooling import masked_mean
from plait.layers.positions import sinusoidal_positions
from plait.layers.projection import ModalityProjection
from plait.layers.transformer import TransformerBlock

__all__ = [
    "MLP",
    "AbsentToken",
    "ModalityProjection",
    "NamedModules",
    "SelfAttention",
    "TransformerBlock",
    "masked_mean",
    "sinusoidal_positions",
]
