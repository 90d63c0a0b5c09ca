"""Texts that a language model reads itself."""

from torch import Tensor, nn

from plait.processors.words import WordsProcessor
from plait.types import Tokens


class Words(nn.Module):
    """Passes token ids on to the language model that writes, which has embeddings of its own.

    Args:
        processor: makes ids of the model's own vocabulary.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, T, 1]` whose numbers are ids; below 0 another input's value
    stands there.
    """

    modality = "text"
    out_dim = 1

    def __init__(self, processor: WordsProcessor) -> None:
        super().__init__()
        self.processor = processor

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return Tokens(features["ids"].unsqueeze(2).float(), features["mask"])
