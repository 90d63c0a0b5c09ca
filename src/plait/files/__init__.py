"""Files of plait's own: written whole or not at all, read within bounds, kept where caches are."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """What stood here when this was one module, until version 0.3."""
    from importlib import import_module

    found = None if name.startswith("__") else vars(import_module("plait.files.atomic")).get(name)
    if found is None:
        raise AttributeError(f"module 'plait.files' has no attribute {name!r}")
    warnings.warn(f"plait.files.{name} is now plait.files.atomic.{name}", DeprecationWarning, stacklevel=2)
    return found
