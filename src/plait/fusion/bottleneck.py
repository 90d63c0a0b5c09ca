"""Attention through a few shared tokens."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.layers import ModalityProjection, NamedModules, TransformerBlock, joined, masked_mean
from plait.types import Fused, Tokens


class BottleneckLayer(nn.Module):
    """One round of MBT: each modality attends to its own tokens and the bottleneck, which is then averaged over the
    modalities that a row has.

    Args:
        names: modalities.
        dim: H of all tokens, a multiple of `heads`.
        heads: attention heads.
        dropout: in the blocks.

    Shapes: sequences `[B, T, H]` and bottleneck `[B, K, H]` → the same.
    """

    def __init__(self, names: Mapping[str, int], dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = NamedModules({name: TransformerBlock(dim, heads, dropout) for name in names})

    def forward(self, sequences: Mapping[str, Tokens], shared_BKH: Tensor) -> tuple[dict[str, Tokens], Tensor]:
        read: dict[str, Tokens] = {}
        votes, presents = [], []
        count = shared_BKH.shape[1]
        for name, sequence in sequences.items():
            mask = torch.cat([sequence.mask, sequence.mask.new_ones(len(sequence.mask), count)], dim=1)
            x = self.blocks[name](torch.cat([sequence.x, shared_BKH.to(sequence.x.dtype)], dim=1), mask)
            read[name] = Tokens(
                x[:, :-count].masked_fill(~sequence.mask.unsqueeze(-1), 0), sequence.mask, sequence.where
            )
            votes.append(x[:, -count:])
            presents.append(sequence.present)
        present_MB = torch.stack(presents).to(shared_BKH.dtype)
        share_MB = present_MB / present_MB.sum(dim=0).clamp(min=1)
        return read, (share_MB[:, :, None, None] * torch.stack(votes)).sum(dim=0)


class BottleneckFusion(nn.Module):
    """MBT (2107.00135): modalities exchange only through a handful of bottleneck tokens, so that each must condense
    what it says, and the cost grows with the sum of the lengths and not with its square.

    The paper averages a classifier over each modality's CLS token; here the means of the modalities' tokens are
    averaged over those that a row has.

    Stage: mid.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        layers: rounds of exchange.
        bottlenecks: shared tokens (the paper's four).
        heads: attention heads.
        positions: tokens say where they lie (`Tokens.where`), such as boxes in an image.

    >>> fusion = BottleneckFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        layers: int = 2,
        bottlenecks: int = 4,
        heads: int = 4,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim, positions)
        self.shared = nn.Parameter(torch.randn(bottlenecks, out_dim) * 0.02)
        self.layers = nn.ModuleList(BottleneckLayer(in_dims, out_dim, heads, dropout) for _ in range(layers))

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        sequences = self.project.sequences(tokens)
        shared_BKH = self.shared.expand(len(next(iter(sequences.values())).x), -1, -1)
        for layer in self.layers:
            sequences, shared_BKH = layer(sequences, shared_BKH)
        return Fused(mean_of_present(sequences) + shared_BKH.mean(dim=1), lambda: joined(sequences))


def mean_of_present(sequences: Mapping[str, Tokens]) -> Tensor:
    """The mean, over the modalities that a row has, of their tokens' means: `[B, H]`, zero where it has none."""
    means_BMH = torch.stack([masked_mean(sequence) for sequence in sequences.values()], dim=1)
    present_BM = torch.stack([sequence.present for sequence in sequences.values()], dim=1)
    return masked_mean(Tokens(means_BMH, present_BM))
