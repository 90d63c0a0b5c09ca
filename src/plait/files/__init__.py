"""Files of plait's own: written whole or not at all, read within bounds, kept where caches are."""
