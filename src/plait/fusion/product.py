"""Multiply the modalities element by element."""

from collections.abc import Mapping

from torch import nn

from plait.layers import ModalityProjection, product_of_present
from plait.types import Fused, Tokens


class ProductFusion(nn.Module):
    """`v_1 * … * v_M`, where v_m is the projected mean of modality m.

    One modality selects what is read of another, which a sum can't do: the simplest fusion that answers questions
    about images (1505.00468). A missing modality is a factor of one; a row without any is zero.

    Stage: mid. The paper multiplies two; any number is the plain extension.

    Args:
        in_dims: modality → D.
        out_dim: H of the fused vector.
        dropout: on the product.

    >>> import torch
    >>> fusion = ProductFusion({"photo": 8, "title": 4}, out_dim=16)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 16])
    """

    stage = "mid"

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.project = ModalityProjection(in_dims, out_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors_BMH, present_BM = self.project.vectors(tokens)
        return Fused(self.dropout(product_of_present(vectors_BMH, present_BM)), lambda: self.project.tokens(tokens))
