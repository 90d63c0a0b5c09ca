"""Bringing modalities into one space."""

from plait.alignment.contrastive import info_nce, sigmoid_loss, triplet_loss
from plait.alignment.shared_space import SharedSpace

__all__ = ["SharedSpace", "info_nce", "sigmoid_loss", "triplet_loss"]
