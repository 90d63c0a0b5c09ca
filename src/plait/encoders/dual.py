"""What the encoders of a model that was trained on images with texts (CLIP, SigLIP) have in common."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from plait.types import Tokens


@dataclass(frozen=True)
class Similarity:
    """How such a model turns the cosine of an image and a text into a logit.

    Args:
        scale: what it is multiplied by.
        bias: what is added.
    """

    scale: float
    bias: float = 0.0

    @classmethod
    def of(cls, model: Any) -> "Similarity":
        """What a model has learned, in the names of transformers and open_clip."""
        bias = getattr(model, "logit_bias", None)
        return cls(float(model.logit_scale.detach().exp()), 0.0 if bias is None else float(bias.detach()))


def keep_side(model: nn.Module, drop: tuple[str, ...]) -> None:
    """Take the other side out of a model: parts and parameters whose names begin so, and what it compares with."""
    for name in [*dict(model.named_children()), *dict(model.named_parameters(recurse=False))]:
        if name.startswith((*drop, "logit_")):
            setattr(model, name, None)


def as_tokens(output: Any) -> Tokens:
    """What a side gives, one token a value."""
    vector = output if isinstance(output, Tensor) else output.pooler_output
    return Tokens.single(vector.float() if vector.dtype == torch.float64 else vector)
