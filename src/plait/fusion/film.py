"""Let modalities scale and shift the features of another."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection
from plait.types import Fused, Tokens


class FilmFusion(nn.Module):
    """FiLM (1709.07871): `(1 + g) * v + b`, where g and b are linear in the other modalities.

    The paper modulates the feature maps of an image by a question; here it is the modality's pooled vector, so that
    any encoder fits. Several conditions are read together, concatenated; a missing one conditions nothing.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the modulated vector.
        features: the modality that is modulated; None for the first.

    Raises:
        ValueError: `features` is no modality.

    >>> import torch
    >>> fusion = FilmFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, features: str | None = None
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        if features is not None and features not in in_dims:
            raise ValueError(f"features={features!r} is no modality; there are {', '.join(in_dims)}")
        self.position = 0 if features is None else list(in_dims).index(features)
        conditions = len(in_dims) - 1
        self.modulate = nn.Linear(conditions * out_dim, 2 * out_dim, bias=False) if conditions else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, _ = self.project.vectors(tokens)
        features_BH = vectors_BMH[:, self.position]
        if self.modulate is not None:
            others = [vectors_BMH[:, i] for i in range(vectors_BMH.shape[1]) if i != self.position]
            scale_BH, shift_BH = self.modulate(torch.cat(others, dim=1)).chunk(2, dim=1)
            features_BH = (1 + scale_BH) * features_BH + shift_BH
        return Fused(self.dropout(features_BH), lambda: self.project.tokens(tokens))
