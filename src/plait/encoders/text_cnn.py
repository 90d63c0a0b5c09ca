"""Convolutions over byte-pair tokens, trained from scratch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from plait.processors import TextProcessor
from plait.types import Tokens


class TextCNN(nn.Module):
    """Parallel convolutions of several widths (1408.5882), one max over time each.

    The paper concatenates the maxima and classifies; here a linear layer maps them to one token of width D.

    Args:
        processor: the tokenizer.
        dim: D of the token and width of the embedding.
        kernels: odd or even widths in tokens.
        channels: feature maps a kernel.
        dropout: on the maxima.

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, 1, dim]`.

    >>> processor = TextProcessor.train(["a red bird"], vocab_size=300)
    >>> TextCNN(processor, dim=8)(processor.collate([processor("a bird")])).x.shape
    torch.Size([1, 1, 8])
    """

    modality = "text"
    fit_processor = TextProcessor.train

    def __init__(
        self,
        processor: TextProcessor,
        dim: int = 128,
        kernels: Sequence[int] = (2, 3, 4, 5),
        channels: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = dim
        self.embedding = nn.Embedding(processor.vocab_size, dim)
        self.convolutions = nn.ModuleList([nn.Conv1d(dim, channels, width) for width in kernels])
        self.widest = max(kernels)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(channels * len(kernels), dim)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        mask = features["mask"]
        x = self.embedding(features["ids"]).masked_fill(~mask.unsqueeze(-1), 0).transpose(1, 2)
        # One zero frame of `widest - 1` tokens on each side of every text: how far the batch is padded beyond it
        # must not matter, so windows that begin after a text's end and frame are left out of the maximum.
        frame = self.widest - 1
        x = nn.functional.pad(x, (frame, frame))
        ends = mask.sum(dim=1, keepdim=True) + frame
        maxima = []
        for convolution in self.convolutions:
            y = torch.relu(convolution(x))  # [U, channels, windows]
            outside = torch.arange(y.shape[-1], device=y.device) >= ends
            maxima.append(y.masked_fill(outside.unsqueeze(1), 0).amax(dim=-1))
        return Tokens.single(self.project(self.dropout(torch.cat(maxima, dim=1))), mask.any(dim=1))
