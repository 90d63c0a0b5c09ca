"""`Fused` → predictions."""

from plait.heads.predict import PredictHead
from plait.heads.split import SplitHead
from plait.heads.trees import TreeHead

__all__ = ["PredictHead", "SplitHead", "TreeHead"]
