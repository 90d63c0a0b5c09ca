"""A bag of byte-pair tokens: the baseline that word order has to beat."""

import torch
from torch import Tensor, nn

from plait.processors import TextProcessor
from plait.types import Tokens


class TextBag(nn.Module):
    """Mean and maximum of the token embeddings (1805.09843), through one hidden layer.

    Args:
        processor: the tokenizer.
        dim: D of the token and width of the embedding.
        dropout: on the pooled embedding.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, 1, dim]`.

    >>> processor = TextProcessor.train(["a red bird"], vocab_size=300)
    >>> TextBag(processor, dim=8)(processor.collate([processor("a bird")])).x.shape
    torch.Size([1, 1, 8])
    """

    modality = "text"
    fit_processor = TextProcessor.train

    def __init__(self, processor: TextProcessor, dim: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = dim
        self.embedding = nn.Embedding(processor.vocab_size, dim)
        self.mlp = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        mask = features["mask"]
        padding = ~mask.unsqueeze(-1)
        x = self.embedding(features["ids"])
        mean = x.masked_fill(padding, 0).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        maximum = x.masked_fill(padding, -torch.inf).amax(dim=1).nan_to_num(neginf=0.0)
        return Tokens.single(self.mlp(torch.cat([mean, maximum], dim=1)), mask.any(dim=1))
