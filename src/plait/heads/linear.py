"""Logistic and ridge regression on what frozen encoders say."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.layers.scaling import ModalityScaling
from plait.types import Fused


class LinearHead(nn.Module):
    """A linear map of all modalities' vectors, each on one scale, to every target's raw predictions.

    Fitted by `plait.training.closed_form`; inner folds choose the strength of the penalty, and no loop trains it. It
    shows what the encoders are worth without a fusion, which is what a fusion has to beat.

    Args:
        in_dims: modality → D.
        out_dims: target → how many numbers.

    Shapes: `Fused.pooled` `[B, sum of D]`, NaN where a row lacks a modality → target → `[B, out]`.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, in_dims: Mapping[str, int], out_dims: Mapping[str, int]) -> None:
        super().__init__()
        self.out_dims = dict(out_dims)
        self.scaling = ModalityScaling(in_dims)
        width = sum(out_dims.values())
        self.register_buffer("weight", torch.zeros(sum(in_dims.values()), width, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(width, dtype=torch.float64))

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        answer = (self.scaling(fused.pooled) @ self.weight + self.bias).float()
        return dict(zip(self.out_dims, answer.split(list(self.out_dims.values()), dim=1), strict=True))
