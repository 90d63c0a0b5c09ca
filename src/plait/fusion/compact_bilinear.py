"""Compact bilinear pooling: the outer product, sketched."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.layers import ModalityProjection, at_least_float32, signed_root
from plait.types import Fused, Tokens


class CompactBilinearFusion(nn.Module):
    """MCB (1606.01847): each vector is thrown into `sketch` bins by a fixed random hash with signs; the circular
    convolution of two such count sketches is the count sketch of their outer product. Signed square root, length one,
    a linear map.

    The paper convolves two; more are more convolutions. A missing modality is the unit of convolution. Runs in float32
    at least, because the Fourier transform has no half precision.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the sketch.
        sketch: bins (the paper's 16,000 serves vectors of 2,048 numbers).

    >>> fusion = CompactBilinearFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"
    bins: Tensor
    signs: Tensor

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, sketch: int = 2048) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.sketch = sketch
        self.register_buffer("bins", torch.randint(sketch, (len(in_dims), out_dim)))
        self.register_buffer("signs", torch.randint(2, (len(in_dims), out_dim)).float() * 2 - 1)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(sketch, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        with torch.autocast(vectors_BMH.device.type, enabled=False):
            pooled_BS = F.normalize(signed_root(self._convolved(at_least_float32(vectors_BMH), present_BM)), dim=1)
        return Fused(self.mix(self.dropout(pooled_BS.to(vectors_BMH.dtype))), lambda: self.project.tokens(tokens))

    def _convolved(self, vectors_BMH: Tensor, present_BM: Tensor) -> Tensor:
        rows, count, _ = vectors_BMH.shape
        empty = vectors_BMH.new_zeros(rows, count, self.sketch)
        sketches_BMS = empty.scatter_add(2, self.bins.expand(rows, -1, -1), vectors_BMH * self.signs)
        spectra = torch.fft.rfft(sketches_BMS)
        spectra = torch.where(present_BM.unsqueeze(-1), spectra, torch.ones_like(spectra))
        convolved_BS = torch.fft.irfft(spectra.prod(dim=1), n=self.sketch)
        return convolved_BS.masked_fill(~present_BM.any(dim=1, keepdim=True), 0)
