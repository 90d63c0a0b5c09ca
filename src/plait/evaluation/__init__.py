"""How good a run is, and what each modality contributes."""
