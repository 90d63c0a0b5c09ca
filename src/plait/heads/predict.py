"""Classes, labels and numbers from the fused vector."""

from collections.abc import Mapping

from torch import Tensor, nn

from plait.layers import MLP, NamedModules
from plait.types import Fused


class PredictHead(nn.Module):
    """An MLP a target over the fused vector.

    Args:
        in_dim: H of the fused vector.
        out_dims: target → how many numbers to predict (classes, labels, or 1).
        hidden: width of the hidden layer; 0 for a linear head.
        dropout: on the fused vector and on the hidden layer.

    Shapes: Fused with `[B, H]` → target → `[B, out_dims[target]]`.

    >>> import torch
    >>> head = PredictHead(8, {"answer": 3, "price": 1})
    >>> {name: tuple(x.shape) for name, x in head(Fused(torch.zeros(2, 8), lambda: None)).items()}
    {'answer': (2, 3), 'price': (2, 1)}
    """

    def __init__(self, in_dim: int, out_dims: Mapping[str, int], hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [hidden] if hidden else []
        self.norm = nn.Sequential(nn.LayerNorm(in_dim), nn.GELU(), nn.Dropout(dropout))
        self.targets = NamedModules({name: MLP(in_dim, widths, dim, dropout) for name, dim in out_dims.items()})

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        pooled = self.norm(fused.pooled)
        return {name: mlp(pooled).float() for name, mlp in self.targets.items()}
