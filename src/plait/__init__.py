"""plait: one model from many modalities.

>>> from plait import Predictor
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__"]

# Where modules were that users may import, until the version after the next.
MOVED = {
    "plait.few_shot": "plait.inference.few_shot",
    "plait.writing": "plait.inference.generate",
    "plait.zero_shot": "plait.inference.zero_shot",
}


def __getattr__(name: str) -> Any:
    """`Predictor` is imported when it is first asked for, so that `import plait` stays quick."""
    if name == "Predictor":
        from plait.predictor import Predictor

        return Predictor
    raise AttributeError(f"module 'plait' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]


class _Moved:
    """Finds modules under their former names, with a warning."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        import warnings

        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}; the old name goes with version 0.3", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


sys.meta_path.append(_Moved())
