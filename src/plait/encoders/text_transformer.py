"""A small transformer over byte-pair tokens, trained from scratch."""

from collections.abc import Mapping

from torch import Tensor, nn

from plait.encoders.layout import WHERE, Layout
from plait.layers import TransformerBlock, sinusoidal_positions
from plait.processors import TextProcessor
from plait.types import Tokens


class TextTransformer(nn.Module):
    """Transformer encoder (1706.03762, pre-norm, sinusoidal positions).

    Args:
        processor: the tokenizer.
        dim: D of the tokens, even and a multiple of `heads`.
        layers, heads, dropout: as in the paper.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, T, dim]`.

    >>> processor = TextProcessor.train(["a red bird"], vocab_size=300)
    >>> encoder = TextTransformer(processor, dim=8, layers=1, heads=2)
    >>> encoder(processor.collate([processor("a bird")])).x.shape[-1]
    8
    """

    modality = "text"
    fit_processor = TextProcessor.train

    def __init__(
        self, processor: TextProcessor, dim: int = 128, layers: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = dim
        self.embedding = nn.Embedding(processor.vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.positions: Tensor
        self.register_buffer("positions", sinusoidal_positions(processor.max_length, dim), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([TransformerBlock(dim, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """A token a piece of the text, and its characters where the processor gives them."""
        return Layout(features["mask"], features.get(WHERE))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        ids, mask = features["ids"], features["mask"]
        scale = self.out_dim**0.5
        x = self.dropout(self.embedding(ids) * scale + self.positions[: ids.shape[1]])
        layers = []
        for block in self.blocks:
            x = block(x, mask)
            layers.append(x)
        x = self.norm(x)
        return Tokens(x, mask, self.layout(features).where, (*layers[:-1], x))
