"""Bringing modalities into one space."""

from plait.alignment.contrastive import info_nce, sigmoid_loss, triplet_loss

__all__ = ["info_nce", "sigmoid_loss", "triplet_loss"]
