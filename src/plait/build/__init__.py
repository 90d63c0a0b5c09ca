"""Recipe → objects: the one place where a name becomes a class."""

from plait import former_names

__getattr__ = former_names(__name__, {}, "plait.build.model")
