"""`Fused` → predictions."""

from plait.heads.predict import PredictHead
from plait.heads.split import SplitHead

__all__ = ["PredictHead", "SplitHead"]
