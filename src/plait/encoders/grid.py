"""Where the cells of a feature map lie in the image."""

import torch
from torch import Tensor


def grid_boxes(height: int, width: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """`[count, height * width, 4]` boxes x0, y0, x1, y1 in 0..1, row by row.

    >>> grid_boxes(1, 2, count=1).tolist()
    [[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]]
    """
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    boxes = torch.stack([x / width, y / height, (x + 1) / width, (y + 1) / height], dim=-1)
    return boxes.view(1, height * width, 4).expand(count, -1, -1)
