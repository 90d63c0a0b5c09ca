"""Where in a sequence, an image or a recording a token stands."""

import math

import torch
from torch import Tensor, nn

WAVES = 16  # wavelengths that a coordinate is measured by
COORDINATES = 4  # of a box; a span has two
LONGEST = {2: 20_000.0, 4: 2.0}  # of a span: hours in seconds, long texts in characters; of a box in 0..1
SHORTEST = {2: 0.1, 4: 1 / 32}  # of a span: a tenth of a second; of a box: a cell of 64 beside its neighbour


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


def fourier_features(where_BTW: Tensor) -> Tensor:
    """`[B, T, 2 or 4]` → `[B, T, 128]` sines and cosines of each coordinate at 16 wavelengths (1706.03762, 2103.03206).

    Spans (seconds, characters) are measured by 0.1 to 20,000 of their units, boxes in 0..1 by 1/32 to 2. The columns
    of the coordinates that a span lacks are zero.

    Raises:
        ValueError: neither spans nor boxes.

    >>> fourier_features(torch.zeros(1, 1, 2))[0, 0, :3].tolist()
    [0.0, 0.0, 0.0]
    """
    count = where_BTW.shape[2]
    if count not in LONGEST:
        raise ValueError(f"expected where of 2 numbers (a span) or 4 (a box), got {count}")
    steps = torch.linspace(0, 1, WAVES, device=where_BTW.device)
    wavelengths = LONGEST[count] * (SHORTEST[count] / LONGEST[count]) ** steps
    angle = where_BTW.float().unsqueeze(-1) * (2 * math.pi / wavelengths)  # [B, T, W, waves]
    features = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(2)
    return nn.functional.pad(features, (0, 2 * WAVES * (COORDINATES - count)))


class PlaceEmbedding(nn.Module):
    """A linear map of where a token lies to the width of the tokens that it is added to; zero at first.

    Args:
        dim: D of the tokens.

    Shapes: `[B, T, 2 or 4]` → `[B, T, D]`; None, of tokens that lie nowhere, → zero, `[1, 1, D]`.

    >>> PlaceEmbedding(8)(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dim, 2 * WAVES * COORDINATES))  # draws no random numbers

    def forward(self, where_BTW: Tensor | None) -> Tensor:
        if where_BTW is None:  # by way of the weight, so that processes that train together all have its gradient
            return nn.functional.linear(self.weight.new_zeros(1, 1, self.weight.shape[1]), self.weight)
        return nn.functional.linear(fourier_features(where_BTW).to(self.weight.dtype), self.weight)
