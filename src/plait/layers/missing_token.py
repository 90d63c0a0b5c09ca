"""A learned stand-in for a modality that a row lacks."""

import torch
from torch import Tensor, nn

from plait.types import Tokens


class MissingToken(nn.Module):
    """Put one learned vector where a row lacks the modality, in training and in prediction alike.

    Args:
        dim: D of the tokens.

    >>> tokens = MissingToken(4)(Tokens.missing(rows=2, dim=4))
    >>> tokens.present.tolist()
    [True, True]
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.randn(dim) * 0.02)

    def forward(self, tokens: Tokens) -> Tokens:
        missing_B: Tensor = ~tokens.present
        first_BT = torch.zeros_like(tokens.mask)
        first_BT[:, 0] = missing_B

        def filled(x: Tensor) -> Tensor:
            return torch.where(first_BT.unsqueeze(-1), self.vector.to(x.dtype), x)

        layers = tuple(filled(layer) for layer in tokens.layers)
        # It lies at the beginning, whatever the padding beside other rows says.
        where = None if tokens.where is None else tokens.where.masked_fill(first_BT.unsqueeze(-1), 0)
        return Tokens(filled(tokens.x), tokens.mask | first_BT, where, layers)
