"""Vectors of several modalities on one scale."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class ModalityScaling(nn.Module):
    """Each modality centred, and scaled so that its mean squared norm over the training rows is one.

    So no modality outweighs another because its encoder speaks louder. A modality that a row lacks (NaN) becomes the
    mean of the training rows, which is zero here: a kernel stays positive semi-definite, where leaving the modality
    out of a product would not.

    Args:
        dims: modality → width, in the order of the concatenated vectors.

    Shapes: `[B, F]` with NaN where something is missing → `[B, F]` float64.

    >>> scaling = ModalityScaling({"a": 1, "b": 2})
    >>> scaling.learn(torch.tensor([[1.0, 0.0, 3.0], [3.0, 4.0, 3.0]]))
    >>> scaling(torch.tensor([[3.0, torch.nan, torch.nan]])).tolist()
    [[1.0, 0.0, 0.0]]
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.widths = list(dims.values())
        self.register_buffer("mean", torch.zeros(sum(self.widths), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(sum(self.widths), dtype=torch.float64))

    def learn(self, x_NF: Tensor) -> None:
        """Take centre and scale from training rows; a modality that is constant or never there keeps its scale."""
        self.mean = x_NF.double().nanmean(dim=0).nan_to_num()
        centred = x_NF.double() - self.mean
        scales = []
        for block in centred.split(self.widths, dim=1):
            present = block.isfinite().any(dim=1)
            norm = block.nan_to_num().square().sum(dim=1)[present].mean().sqrt() if bool(present.any()) else 0.0
            scales.append(torch.full((block.shape[1],), float(norm) or 1.0, dtype=torch.float64))
        self.scale = torch.cat(scales)

    def forward(self, x_BF: Tensor) -> Tensor:
        return ((x_BF.double() - self.mean) / self.scale).nan_to_num(nan=0.0)
