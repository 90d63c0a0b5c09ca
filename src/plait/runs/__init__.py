"""A run, from its recipe to its folder: prepare, train, validate, finish."""
