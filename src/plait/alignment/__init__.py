"""Bringing modalities into one space."""

from plait.alignment.contrastive import info_nce, sigmoid_loss, triplet_loss
from plait.alignment.dtw import Warping, dtw, soft_dtw
from plait.alignment.lags import LagFusion
from plait.alignment.shared_space import SharedSpace
from plait.alignment.temporal import ClockFusion, segments

__all__ = [
    "ClockFusion",
    "LagFusion",
    "SharedSpace",
    "Warping",
    "dtw",
    "info_nce",
    "segments",
    "sigmoid_loss",
    "soft_dtw",
    "triplet_loss",
]
