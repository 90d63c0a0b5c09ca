"""Files of plait's own: written whole or not at all, read within bounds, kept where caches are."""

from plait import former_names

__getattr__ = former_names(__name__, {}, "plait.files.atomic")
