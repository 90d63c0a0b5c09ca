"""Modalities exchange at several depths of their encoders."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.fusion.bottleneck import BottleneckLayer, mean_of_present
from plait.layers import ModalityProjection, joined
from plait.types import Fused, Tokens


class LayerwiseFusion(nn.Module):
    """A ladder beside the encoders: at each depth a modality's stream takes in its encoder's layer of that depth, then
    all streams exchange through bottleneck tokens.

    The exchange is that of MBT (2107.00135), which changes the encoders' own blocks; here it stands beside them, as
    in ladder side-tuning (2206.06522), so that frozen and cached encoders serve. Encoders that give their layers
    (`tokens.layers`, shallow first) are read at `depths` evenly spaced ones, the last always among them; of others the
    output is read at each depth.

    Stage: layer-wise.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        depths: how many layers of each encoder are read.
        bottlenecks: shared tokens.
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.

    >>> fusion = LayerwiseFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "layer-wise"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        depths: int = 3,
        bottlenecks: int = 4,
        heads: int = 4,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.projects = nn.ModuleList(ModalityProjection(in_dims, out_dim, positions) for _ in range(depths))
        self.shared = nn.Parameter(torch.randn(bottlenecks, out_dim) * 0.02)
        self.layers = nn.ModuleList(BottleneckLayer(in_dims, out_dim, heads, dropout) for _ in range(depths))

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        streams: dict[str, Tokens] = {}
        shared_BKH = self.shared.unsqueeze(0)
        for number, (project, layer) in enumerate(zip(self.projects, self.layers, strict=True)):
            assert isinstance(project, ModalityProjection)
            read = project.sequences(
                {name: _at(sequence, number, len(self.layers)) for name, sequence in tokens.items()}
            )
            shared_BKH = shared_BKH.expand(len(next(iter(read.values())).x), -1, -1)
            streams = {
                n: Tokens(streams[n].x + sequence.x, sequence.mask) if streams else sequence
                for n, sequence in read.items()
            }
            streams, shared_BKH = layer(streams, shared_BKH)
        return Fused(mean_of_present(streams) + shared_BKH.mean(dim=1), lambda: joined(streams))


def _at(tokens: Tokens, number: int, depths: int) -> Tokens:
    """Tokens of one of the encoder's layers: number 0 to depths - 1, evenly spaced, the last one the output."""
    if not tokens.layers:
        return tokens
    position = -(-(number + 1) * len(tokens.layers) // depths) - 1
    return Tokens(tokens.layers[position], tokens.mask, tokens.where)
