"""Kernel ridge regression over several modalities: a kernel each, summed or multiplied."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from plait.layers.scaling import ModalityScaling
from plait.types import Fused

Combine = Literal["sum", "product"]


class KernelHead(nn.Module):
    """A Gaussian kernel a modality, `exp(-width * |a - b|²)` on vectors whose mean squared norm is one.

    The mean of the kernels adds up what each modality says (late fusion); their product asks for rows that are alike in
    all modalities, so it answers questions that need both (early fusion). Fitted by ridge regression
    (`plait.training.closed_form`), it holds the training rows, or some of them.

    Args:
        in_dims: modality → D.
        out_dims: target → how many numbers.
        combine: `sum` (the mean) or `product`.

    Shapes: `Fused.pooled` `[B, sum of D]`, NaN where a row lacks a modality → target → `[B, out]`.
    """

    support: Tensor
    coefficients: Tensor
    bias: Tensor
    width: Tensor

    def __init__(self, in_dims: Mapping[str, int], out_dims: Mapping[str, int], combine: Combine) -> None:
        super().__init__()
        self.out_dims, self.combine = dict(out_dims), combine
        self.scaling = ModalityScaling(in_dims)
        real = torch.float64
        self.take(
            support=torch.zeros(0, sum(in_dims.values()), dtype=real),
            coefficients=torch.zeros(0, sum(out_dims.values()), dtype=real),
            bias=torch.zeros(sum(out_dims.values()), dtype=real),
            width=torch.ones(len(out_dims), dtype=real),
        )

    def take(self, **parts: Tensor) -> None:
        """Use these from now on: `support` `[S, F]` scaled rows, `coefficients` `[S, O]`, `bias` `[O]`, and a `width`
        for each target.
        """
        for name, tensor in parts.items():
            self.register_buffer(name, tensor)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name in ("support", "coefficients"):  # of the sizes that were saved; here they are not known yet
            if f"{prefix}{name}" in state_dict:
                self.register_buffer(name, torch.empty_like(state_dict[f"{prefix}{name}"]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        shapes = [self.support.shape[1:], self.coefficients.shape[1:]]  # the file may be a stranger's
        expected = [torch.Size([sum(self.scaling.widths)]), self.bias.shape]
        if shapes != expected or len(self.support) != len(self.coefficients):
            rest[-1].append(f"{prefix}: these rows and coefficients are not of this table")

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        squared = squared_distances(self.scaling(fused.pooled), self.support, self.scaling.widths)
        answers = {}
        parts = zip(self.out_dims, self.coefficients.split(list(self.out_dims.values()), dim=1), strict=True)
        biases = self.bias.split(list(self.out_dims.values()))
        for (name, coefficients), bias, width in zip(parts, biases, self.width, strict=True):
            answers[name] = (gaussian(squared, float(width), self.combine) @ coefficients + bias).float()
        return answers


def squared_distances(a_NF: Tensor, b_SF: Tensor, widths: Sequence[int]) -> Tensor:
    """`[M, N, S]` squared distances of two sets of rows, a modality at a time."""
    blocks = zip(a_NF.split(list(widths), dim=1), b_SF.split(list(widths), dim=1), strict=True)
    squared = [
        a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1) - 2 * a @ b.T  # cdist is several times slower
        for a, b in blocks
    ]
    return torch.stack(squared).clamp(min=0)


def gaussian(squared_MNS: Tensor, width: float, combine: Combine) -> Tensor:
    """`[N, S]` the mean or the product of the modalities' kernels.

    >>> squared = torch.tensor([[[0.0]], [[2.0]]], dtype=torch.float64)
    >>> [round(gaussian(squared, 1.0, combine).item(), 3) for combine in ("product", "sum")]
    [0.135, 0.568]
    """
    if combine == "product":
        return (-width * squared_MNS.sum(dim=0)).exp()
    return (-width * squared_MNS).exp().mean(dim=0)
