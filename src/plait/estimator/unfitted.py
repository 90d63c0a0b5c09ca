"""The error of a predictor that has not learned; apart, because it is scikit-learn's, whose import takes a second."""

from sklearn.exceptions import NotFittedError

from plait.errors import PlaitError


class NotFitted(PlaitError, NotFittedError):
    """`fit` or `load` comes first. It reads `PlaitError` in a traceback: scikit-learn's tools catch it by its base."""


NotFitted.__name__ = NotFitted.__qualname__ = PlaitError.__name__
