"""Cross-attention both ways."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import nn

from plait.fusion.mult import visible
from plait.layers import CrossBlock, ModalityProjection, NamedModules, joined, masked_mean
from plait.types import Fused, Tokens


class CoAttentionFusion(nn.Module):
    """Each modality's tokens read the tokens of the others; their means are concatenated and mixed.

    The co-attention layers of ViLBERT (1908.02265) without its self-attention between them, since encoders have their
    own. With more than two modalities, each reads all others at once.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        layers: rounds of reading; in each all modalities read what the round before left.
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.
        within: seconds that tokens of two recordings may be apart to see each other; None for any. Inputs without a
            time are seen by all.

    >>> import torch
    >>> fusion = CoAttentionFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        layers: int = 1,
        heads: int = 4,
        positions: bool = False,
        within: Annotated[float, Ge(0)] | None = None,
    ) -> None:
        super().__init__()
        self.within = within
        self.project = ModalityProjection(in_dims, out_dim, positions)
        self.rounds = nn.ModuleList(
            NamedModules({name: CrossBlock(out_dim, heads, dropout) for name in in_dims}) for _ in range(layers)
        )
        self.mix = nn.Linear(len(in_dims) * out_dim, out_dim)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        sequences = self.project.sequences(tokens)
        for blocks in self.rounds:
            assert isinstance(blocks, NamedModules)
            sequences = {name: self._read(blocks[name], name, sequences, self.within) for name in sequences}
        pooled = self.mix(torch.cat([masked_mean(sequence) for sequence in sequences.values()], dim=1))
        return Fused(pooled, lambda: joined(sequences))

    @staticmethod
    def _read(block: nn.Module, name: str, sequences: Mapping[str, Tokens], within: float | None) -> Tokens:
        sequence = sequences[name]
        others = {key: value for key, value in sequences.items() if key != name}
        context = joined(others) if others else Tokens(sequence.x, torch.zeros_like(sequence.mask))
        mask = context.mask
        if within is not None and others:
            seen = [visible(sequence, other, within) for other in others.values()]
            shape = (-1, sequence.x.shape[1], -1)
            mask = torch.cat([one if one.dim() == 3 else one.unsqueeze(1).expand(*shape) for one in seen], dim=2)
        return Tokens(block(sequence.x, context.x, mask), sequence.mask, sequence.where)
