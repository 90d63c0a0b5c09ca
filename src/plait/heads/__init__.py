"""Heads: from what a fusion gives (`Fused`) to predictions."""

from plait.heads.embed import EmbedHead
from plait.heads.predict import PredictHead
from plait.heads.split import SplitHead
from plait.heads.tag import TagHead
from plait.heads.trees import TreeHead
from plait.heads.write import WriteHead

__all__ = ["EmbedHead", "PredictHead", "SplitHead", "TagHead", "TreeHead", "WriteHead"]
