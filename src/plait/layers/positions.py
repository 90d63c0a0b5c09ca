"""Where in a sequence a token stands."""

import math

import torch
from torch import Tensor


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """`[length, dim]` sines and cosines of geometrically spaced wavelengths (1706.03762, section 3.5).

    The first half of the width holds sines, the second cosines; the paper interleaves them, which is the same up to
    a permutation of the width.

    Raises:
        ValueError: `dim` is odd.

    >>> sinusoidal_positions(2, 4)[0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    if dim % 2:
        raise ValueError(f"sinusoidal positions need an even width, got {dim}")
    frequency = torch.exp(torch.arange(dim // 2) * (-math.log(10_000.0) / (dim // 2)))
    angle = torch.arange(length).unsqueeze(1) * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
