"""Numbers and categories as they are, for trees."""

import torch
from torch import Tensor, nn

from plait.processors import TabularProcessor
from plait.types import Tokens

ONE_HOT = 32  # known values up to which a category has a column each


class RawTabular(nn.Module):
    """One token a row: numbers in the user's units, NaN where missing; a category of up to 32 known values as one
    column each, of more as its code. Nothing to learn.

    Args:
        processor: the vocabularies.

    Shapes: `{"numbers": [B, N], "codes": [B, C]}` → Tokens `[B, 1, N + columns of the categories]`.

    >>> processor = TabularProcessor.fit({"p": [1.0, 2.0], "c": ["a", "b"]}, ["p"], [], ["c"])
    >>> RawTabular(processor)(processor.collate([processor({"p": 3, "c": "b"})])).x.tolist()
    [[[3.0, 0.0, 0.0, 1.0]]]
    """

    modality = "tabular"

    def __init__(self, processor: TabularProcessor) -> None:
        super().__init__()
        self.processor = processor
        self.sizes = [len(values) + 1 for values in processor.categories.values()]  # + the unknown slot
        self.out_dim = len(processor.scalar_names) + sum(s if s <= ONE_HOT + 1 else 1 for s in self.sizes)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        columns = [features["numbers"].float()]
        for position, size in enumerate(self.sizes):
            code = features["codes"][:, position : position + 1]
            if size <= ONE_HOT + 1:
                columns.append((code == torch.arange(size, device=code.device)).float())
            else:
                columns.append(code.float().masked_fill(code < 0, torch.nan))
        return Tokens.single(torch.cat(columns, dim=1))
