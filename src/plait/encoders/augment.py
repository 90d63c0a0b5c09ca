"""Random changes to images in training: on the batch's tensors, so that decoded pixels can be kept."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Augment(nn.Module):
    """Shift, zoom, mirror and re-light each image of a batch on its own; nothing in evaluation.

    Args:
        shift: largest shift, in pixels, whole pixels each way; the border is repeated.
        zoom: largest relative zoom in or out, 0.1 for 0.9x to 1.1x.
        flip: mirror left to right half of the time. Off by default: text and directions do not survive it.
        light: largest relative change of brightness and contrast.

    Shapes: `[U, 3, H, W]` float → the same.

    >>> pictures = torch.rand(2, 3, 8, 8)
    >>> Augment(shift=2).eval()(pictures) is pictures
    True
    """

    def __init__(self, shift: int = 0, zoom: float = 0.0, flip: bool = False, light: float = 0.0) -> None:
        super().__init__()
        self.shift, self.zoom, self.flip, self.light = shift, zoom, flip, light

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return images
        if self.shift and not self.zoom:
            images = self._shifted(images)
        elif self.zoom:
            images = self._zoomed(images)
        if self.flip:
            mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(mirrored, images.flip(-1), images)
        if self.light:
            images = self._relit(images)
        return images

    def _shifted(self, images: Tensor) -> Tensor:
        padded = F.pad(images, [self.shift] * 4, mode="replicate")
        height, width = images.shape[-2:]
        corners = torch.randint(0, 2 * self.shift + 1, (len(images), 2)).tolist()
        return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(padded, corners, strict=True)])

    def _zoomed(self, images: Tensor) -> Tensor:
        count, device = len(images), images.device
        scale = 1 + self.zoom * (2 * torch.rand(count, device=device) - 1)
        offset = self.shift * 2 / images.shape[-1] * (2 * torch.rand(count, 2, device=device) - 1)
        matrix = torch.zeros(count, 2, 3, device=device)
        matrix[:, 0, 0] = matrix[:, 1, 1] = scale
        matrix[:, :, 2] = offset
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _relit(self, images: Tensor) -> Tensor:
        gain, shift = 1 + self.light * (2 * torch.rand(2, len(images), 1, 1, 1, device=images.device) - 1)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        return (images - mean) * gain + mean * shift
