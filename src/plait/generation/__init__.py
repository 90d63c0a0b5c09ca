"""Greedy, sampling and beam search: one loop for every decoder."""

from plait.generation.choices import AnswerTree
from plait.generation.search import NONE, Decoder, Generated, State, generate
from plait.generation.settings import GenerationSettings

__all__ = ["NONE", "AnswerTree", "Decoder", "Generated", "GenerationSettings", "State", "generate"]
