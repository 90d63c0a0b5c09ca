"""plait: one model from many modalities.

>>> from plait import Predictor
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__"]


def __getattr__(name: str) -> Any:
    """`Predictor` is imported when it is first asked for, so that `import plait` stays quick."""
    if name == "Predictor":
        from plait.predictor import Predictor

        return Predictor
    raise AttributeError(f"module 'plait' has no attribute {name!r}")
