"""Numbers that say how good predictions are, under the names that the field uses."""

from plait.metrics.predict import METRICS, Metric, fitting, score

__all__ = ["METRICS", "Metric", "fitting", "score"]
