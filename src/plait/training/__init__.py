"""One visible loop, its checkpoints and its settings."""
