"""One transformer over the tokens of all modalities."""

from collections.abc import Mapping

import torch
from torch import nn

from plait.layers import ModalityProjection, TransformerBlock
from plait.types import Fused, Tokens


class SingleStreamFusion(nn.Module):
    """All tokens in one sequence through one transformer; a summary token reads the answer off.

    As VisualBERT (1908.03557) and UNITER (1909.11740) do. Give it shallow encoders (`scratch:bag`, a CNN's grid,
    tabular columns) and the depth is shared from the start: early fusion. Each modality's own projection, with its
    bias, says which kind a token is.

    Stage: early.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        layers: blocks.
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.

    >>> fusion = SingleStreamFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "early"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        layers: int = 2,
        heads: int = 4,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim, positions)
        self.summary = nn.Parameter(torch.randn(out_dim) * 0.02)
        self.blocks = nn.ModuleList(TransformerBlock(out_dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        all_tokens = self.project.tokens(tokens)
        rows = len(all_tokens.x)
        x = torch.cat([self.summary.to(all_tokens.x.dtype).expand(rows, 1, -1), all_tokens.x], dim=1)
        mask = torch.cat([all_tokens.mask.new_ones(rows, 1), all_tokens.mask], dim=1)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        return Fused(x[:, 0], lambda: Tokens(x[:, 1:], all_tokens.mask))
