"""Classes, labels and numbers from the fused vector."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from plait.layers import MLP, NamedModules, at_least_float32
from plait.types import Fused


class PredictHead(nn.Module):
    """An MLP for each target over the fused vector, which is normalised first; or a linear map for each.

    Args:
        in_dim: H of the fused vector.
        out_dims: target → how many numbers to predict (classes, labels, or 1).
        hidden: width of the hidden layer; 0 for linear maps.
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
        self.in_dim, self.dropout = in_dim, dropout
        self.norm = self._norm() if hidden else nn.Dropout(dropout)
        self.targets = NamedModules({name: MLP(in_dim, widths, dim, dropout) for name, dim in out_dims.items()})

    def _norm(self) -> nn.Module:
        return nn.Sequential(nn.LayerNorm(self.in_dim), nn.GELU(), nn.Dropout(self.dropout))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if f"{prefix}norm.0.weight" in state_dict and isinstance(self.norm, nn.Dropout):
            self.norm = self._norm()  # saved by an older plait, which normalised before linear maps too
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        pooled = self.norm(fused.pooled)
        return {name: at_least_float32(mlp(pooled)) for name, mlp in self.targets.items()}
