"""Greedy, sampling and beam search: one loop for every decoder, and its settings."""
