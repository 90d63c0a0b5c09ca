"""`Fused` → predictions."""

from plait.heads.predict import PredictHead

__all__ = ["PredictHead"]
