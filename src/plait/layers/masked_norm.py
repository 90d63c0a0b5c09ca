"""Batch normalisation of sequences of unequal length."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (1502.03167) whose means and variances are of real steps only; padding takes no part.

    Args:
        channels: C.
        momentum: how fast the running values move.
        eps: added to the variance.

    Shapes: x `[U, C, T, …]`, mask `[U, T]` → like x; what stands at padding means nothing.

    >>> norm = MaskedBatchNorm(2)
    >>> x, mask = torch.randn(3, 2, 5), torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4])
    >>> norm(x, mask)[0].shape, abs(norm(x, mask).transpose(1, 2)[mask].mean().item()) < 1e-6
    (torch.Size([2, 5]), True)
    """

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, mask_UT: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        shape = [1, -1] + [1] * (x.ndim - 2)
        real = mask_UT.view(len(x), 1, -1, *[1] * (x.ndim - 3))
        real_float = real.float()
        # Of padding set to zero: its share is taken out of the mean and the mean square, in one pass over x.
        share = (real_float.sum() / real_float.numel()).clamp(min=1e-9)
        others = [dim for dim in range(x.ndim) if dim != 1]
        variance, mean = torch.var_mean(x.float() * real_float, others, correction=0)
        square = (variance + mean.square()) / share
        mean = mean / share
        variance = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            count = share * x.numel() / x.shape[1]
            unbiased = variance * count / (count - 1).clamp(min=1)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return torch.addcmul(shift.view(shape), x.float(), scale.view(shape)).to(x.dtype)
