"""The error of a predictor that has not learned; apart, because it is scikit-learn's, whose import takes a second."""

from sklearn.exceptions import NotFittedError

from plait.errors import PlaitError


class NotFitted(PlaitError, NotFittedError):
    """`fit` or `load` comes first."""
