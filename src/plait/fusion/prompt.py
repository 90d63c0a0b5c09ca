"""No fusion before the language model: each modality stands in its prompt."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.fusion.raw import widened
from plait.layers import joined, masked_mean
from plait.layers.projection import check_names
from plait.types import Fused, Tokens


class PromptFusion(nn.Module):
    """Hands every modality on as it is; the layers of a language model are the fusion (2304.08485). Nothing to learn.

    Stage: early. For `fusion.method: prompt`; its widths are those of the encoders, so it is not among `FUSIONS`.

    Args:
        in_dims: modality → D.

    >>> fused = PromptFusion({"photo": 2})({"photo": Tokens.single(torch.ones(1, 2))})
    >>> fused.parts["photo"].x.tolist(), fused.pooled.tolist()
    ([[[1.0, 1.0]]], [[1.0, 1.0]])
    """

    stage = "early"

    def __init__(self, in_dims: Mapping[str, int]) -> None:
        super().__init__()
        if not in_dims:
            raise ValueError("a fusion needs at least one modality")
        self.in_dims = dict(in_dims)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        check_names(self.in_dims, tokens)
        parts = {name: tokens[name] for name in self.in_dims}
        pooled = torch.cat([masked_mean(own) for own in parts.values()], dim=1)
        widest = max(self.in_dims.values())
        return Fused(pooled, lambda: joined({n: widened(own, widest) for n, own in parts.items()}), parts=parts)
