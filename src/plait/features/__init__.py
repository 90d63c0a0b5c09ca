"""What frozen encoders give: the engine that runs them, the store that keeps it, the columns that are read back."""
