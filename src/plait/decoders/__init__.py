"""Decoders, which write texts: each reads the fused tokens and gives next-token scores to one generation loop."""

from plait.decoders.text_rnn import TextRNN
from plait.decoders.text_transformer import TextTransformer

DECODERS = {"transformer": TextTransformer, "rnn": TextRNN}

__all__ = ["DECODERS", "TextRNN", "TextTransformer"]
