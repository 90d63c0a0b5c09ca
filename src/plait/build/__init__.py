"""Recipe → objects: the one place where a name becomes a class."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """What stood here when this was one module, until version 0.3."""
    from importlib import import_module

    found = None if name.startswith("__") else vars(import_module("plait.build.model")).get(name)
    if found is None:
        raise AttributeError(f"module 'plait.build' has no attribute {name!r}")
    warnings.warn(f"plait.build.{name} is now plait.build.model.{name}", DeprecationWarning, stacklevel=2)
    return found
