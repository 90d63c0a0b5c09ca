"""A few latent vectors that read everything."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import CrossBlock, ModalityProjection, TransformerBlock
from plait.types import Fused, Tokens


class PerceiverFusion(nn.Module):
    """Perceiver-style (2103.03206): learned latents attend to all tokens of all modalities, then to each other.

    The cost is linear in the number of tokens. The paper reads raw bytes with Fourier positions and may share weights
    between its rounds; here encoders' tokens are read, and each round has its own weights.

    Stage: mid. `tokens` of the result are the latents.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        latents: number of latent vectors.
        layers: rounds of reading and thinking.
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.

    >>> fusion = PerceiverFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        latents: int = 8,
        layers: int = 2,
        heads: int = 4,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim, positions)
        self.latents = nn.Parameter(torch.randn(latents, out_dim) * 0.02)
        self.reads = nn.ModuleList(CrossBlock(out_dim, heads, dropout) for _ in range(layers))
        self.thinks = nn.ModuleList(TransformerBlock(out_dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        context = self.project.tokens(tokens)
        x = self.latents.to(context.x.dtype).expand(len(context.x), -1, -1)
        every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        for read, think in zip(self.reads, self.thinks, strict=True):
            x = think(read(x, context.x, context.mask), every)
        x = self.norm(x)
        return Fused(x.mean(dim=1), lambda: Tokens(x, every))
