"""Every fusion and every single modality, on the same folds, seeds and budget."""

from plait.compare.candidates import Candidate, candidates_of
from plait.compare.result import Comparison
from plait.compare.session import compare

__all__ = ["Candidate", "Comparison", "candidates_of", "compare"]
