"""Words counted: what linear models and trees read of texts where no pretrained encoder is installed."""

import torch
from torch import Tensor, nn

from plait.processors.tfidf import TfidfProcessor
from plait.types import Tokens


class TextTfidf(nn.Module):
    """One vector with a place for each known word (Salton and Buckley, 1988). It has nothing that trains.

    Args:
        processor: knows the words and how rare they are.

    Shapes: `{"ids": [U, T], "weights": [U, T]}` → Tokens `[U, 1, words]`.

    >>> processor = TfidfProcessor.train(["a red bird", "a blue bird"])
    >>> x = TextTfidf(processor)(processor.collate([processor("a bird"), processor("")])).x
    >>> x.shape, x.norm(dim=2).flatten().round(decimals=4).tolist()
    (torch.Size([2, 1, 4]), [1.0, 0.0])
    """

    modality = "text"
    fit_processor = TfidfProcessor.train

    def __init__(self, processor: TfidfProcessor) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = max(1, processor.vocab_size)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        ids, weights = features["ids"], features["weights"]
        x = torch.zeros(len(ids), self.out_dim, dtype=weights.dtype, device=weights.device)
        return Tokens.single(x.scatter_add(1, ids, weights))
