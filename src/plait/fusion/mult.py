"""Crossmodal transformers between every pair of modalities."""

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from plait.layers import CrossBlock, ModalityProjection, NamedModules, TransformerBlock, joined, masked_mean, near
from plait.types import Fused, Tokens


class MulTFusion(nn.Module):
    """MulT (1906.00295): for each modality, a stack of crossmodal blocks from each other one; what they bring is
    concatenated and read by a transformer of the modality's own.

    The paper fuses three sequences and takes their last elements; here any number (M modalities cost M * (M - 1)
    stacks), and the mean over real tokens, since not every modality runs in time. A modality alone is read by its own
    transformer only.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: in the blocks.
        width: of the crossmodal blocks (the paper's d, 30 to 40), a multiple of `heads`; at most `out_dim`.
        layers: crossmodal blocks a pair.
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.
        within: seconds that tokens of two recordings may be apart to see each other; None for any. Inputs without a
            time are seen by all.

    >>> import torch
    >>> fusion = MulTFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        width: int = 32,
        layers: int = 2,
        heads: int = 4,
        positions: bool = False,
        within: Annotated[float, Ge(0)] | None = None,
    ) -> None:
        super().__init__()
        self.within = within
        width = min(width, out_dim)
        self.project = ModalityProjection(in_dims, width, positions)
        wide = width * max(1, len(in_dims) - 1)
        self.pairs = NamedModules({name: _stacks(in_dims, name, width, layers, heads, dropout) for name in in_dims})
        self.own = NamedModules({name: TransformerBlock(wide, heads, dropout) for name in in_dims})
        self.out = NamedModules({name: nn.Linear(wide, out_dim) for name in in_dims})

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        sequences = self.project.sequences(tokens)
        read = {
            name: Tokens(self._read(name, sequences), sequence.mask, sequence.where)
            for name, sequence in sequences.items()
        }
        # One linear map of the concatenated modalities is the sum of one map each, which serves their tokens too.
        pooled = torch.stack([self.out[name](masked_mean(sequence)) for name, sequence in read.items()]).sum(dim=0)
        return Fused(
            pooled, lambda: joined({n: Tokens(self.out[n](sequence.x), sequence.mask) for n, sequence in read.items()})
        )

    def _read(self, name: str, sequences: Mapping[str, Tokens]) -> Tensor:
        sequence = sequences[name]
        brought = []
        for source, blocks in self.pairs[name].items():
            x = sequence.x
            mask = visible(sequence, sequences[source], self.within)
            for block in blocks:
                x = block(x, sequences[source].x, mask)
            brought.append(x)
        together: Tensor = self.own[name](torch.cat(brought or [sequence.x], dim=2), sequence.mask)
        return together


def visible(sequence: Tokens, source: Tokens, within: float | None) -> Tensor:
    """`[B, S]` real tokens of another modality, or `[B, T, S]` those that each token may see in time."""
    close = None if within is None else near(sequence.where, source.where, within)
    return source.mask if close is None else close & source.mask.unsqueeze(1)


def _stacks(
    in_dims: Mapping[str, int], target: str, width: int, layers: int, heads: int, dropout: float
) -> NamedModules:
    """The crossmodal blocks that bring each other modality to one."""
    return NamedModules(
        {
            source: nn.ModuleList(CrossBlock(width, heads, dropout) for _ in range(layers))
            for source in in_dims
            if source != target
        }
    )
