"""Let the modalities attend to each other, one vector each."""

from collections.abc import Mapping

from torch import nn

from plait.layers import ModalityProjection, TransformerBlock, masked_mean
from plait.types import Fused, Tokens


class SelfAttentionFusion(nn.Module):
    """Transformer blocks (1706.03762) over one vector a modality; the mean of those that are present.

    Stage: mid. Cheap, since a sequence is as long as there are modalities; `single_stream` attends over all tokens.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector, a multiple of `heads`.
        dropout: in the blocks.
        layers: blocks.
        heads: attention heads.

    >>> import torch
    >>> fusion = SelfAttentionFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(
        self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0, layers: int = 1, heads: int = 4
    ) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.blocks = nn.ModuleList(TransformerBlock(out_dim, heads, dropout) for _ in range(layers))

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        for block in self.blocks:
            vectors_BMH = block(vectors_BMH, present_BM)
        return Fused(masked_mean(Tokens(vectors_BMH, present_BM)), lambda: self.project.tokens(tokens))
