"""A bidirectional GRU or LSTM over byte-pair tokens, trained from scratch."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from plait.encoders.layout import WHERE, Layout
from plait.processors import TextProcessor
from plait.types import Tokens


class TextRNN(nn.Module):
    """Bidirectional recurrent encoder; padding is packed away, so it never reaches a state.

    Args:
        processor: the tokenizer.
        cell: `gru` (1406.1078) or `lstm`.
        dim: D of the tokens, half from each direction, so even.
        layers: stacked layers.
        dropout: on the embedding and between layers.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, T, dim]`.

    Raises:
        ValueError: `dim` is odd.

    >>> processor = TextProcessor.train(["a red bird"], vocab_size=300)
    >>> TextRNN(processor, dim=8)(processor.collate([processor("a bird")])).x.shape[-1]
    8
    """

    modality = "text"
    fit_processor = TextProcessor.train

    def __init__(
        self,
        processor: TextProcessor,
        cell: Literal["gru", "lstm"] = "gru",
        dim: int = 128,
        layers: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"two directions need an even width, got {dim}")
        self.processor = processor
        self.out_dim = dim
        self.embedding = nn.Embedding(processor.vocab_size, dim)
        self.dropout = nn.Dropout(dropout)
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.rnn = kind(
            dim, dim // 2, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0
        )

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """A token a piece of the text, and its characters where the processor gives them."""
        return Layout(features["mask"], features.get(WHERE))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        mask = features["mask"]
        lengths = mask.sum(dim=1).clamp(min=1)
        embedded = self.dropout(self.embedding(features["ids"]))
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=mask.shape[1])
        return Tokens(x, mask, self.layout(features).where)
