"""No fusion before the language model: each modality stands in its prompt."""

from collections.abc import Mapping, Sequence

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
        words: those that are token ids; they say nothing in the fused vector, which others than the model may read.

    >>> fused = PromptFusion({"photo": 2})({"photo": Tokens.single(torch.ones(1, 2))})
    >>> fused.parts["photo"].x.tolist(), fused.pooled.tolist()
    ([[[1.0, 1.0]]], [[1.0, 1.0]])
    """

    stage = "early"

    def __init__(self, in_dims: Mapping[str, int], words: Sequence[str] = ()) -> None:
        super().__init__()
        if not in_dims:
            raise ValueError("a fusion needs at least one modality")
        self.in_dims = dict(in_dims)
        self.seen = [name for name in in_dims if name not in words]

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        check_names(self.in_dims, tokens)
        parts = {name: tokens[name] for name in self.in_dims}
        seen = {name: parts[name] for name in self.seen} or {"": Tokens.missing(*_first(parts))}
        pooled = torch.cat([masked_mean(sequence) for sequence in seen.values()], dim=1)
        widest = max(sequence.x.shape[2] for sequence in seen.values())
        return Fused(
            pooled, lambda: joined({n: widened(sequence, widest) for n, sequence in seen.items()}), parts=parts
        )


def _first(parts: Mapping[str, Tokens]) -> tuple[int, int, torch.device]:
    """Rows, a width of one, and the device."""
    x = next(iter(parts.values())).x
    return len(x), 1, x.device
