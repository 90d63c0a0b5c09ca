"""Vectors side by side, untouched: what trees read."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import masked_mean
from plait.layers.projection import check_names, joined
from plait.types import Fused, Tokens


class RawFusion(nn.Module):
    """The mean of each modality's tokens, concatenated; NaN where a row lacks the modality. Nothing to learn.

    Stage: mid. For `fusion.method: boosted`; a network can't read NaN, so it is not among `FUSIONS`.

    Args:
        in_dims: modality → D.

    >>> tokens = {"photo": Tokens.single(torch.ones(1, 2)), "title": Tokens.missing(1, 1)}
    >>> RawFusion({"photo": 2, "title": 1})(tokens).pooled.tolist()
    [[1.0, 1.0, nan]]
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int]) -> None:
        super().__init__()
        if not in_dims:
            raise ValueError("a fusion needs at least one modality")
        self.in_dims = dict(in_dims)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        check_names(self.in_dims, tokens)
        vectors = []
        for name in self.in_dims:
            sequence = tokens[name]
            # A single token may hold NaN of its own (a missing number), which is not the modality's absence.
            vector = sequence.x[:, 0] if sequence.x.shape[1] == 1 else masked_mean(sequence)
            vectors.append(vector.float().masked_fill(~sequence.present.unsqueeze(1), torch.nan))
        pooled = torch.cat(vectors, dim=1)
        widest = max(self.in_dims.values())
        return Fused(pooled, lambda: joined({n: widened(tokens[n], widest) for n in self.in_dims}))


def widened(tokens: Tokens, width: int) -> Tokens:
    """Tokens with zeros behind what they hold."""
    x = nn.functional.pad(tokens.x, (0, width - tokens.x.shape[2]))
    return Tokens(x.masked_fill(~tokens.mask.unsqueeze(-1), 0), tokens.mask)
