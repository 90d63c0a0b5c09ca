"""A space that every modality has a vector in."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from plait.layers import NamedModules, at_least_float32, masked_mean
from plait.types import Fused, Tokens


class SharedSpace(nn.Module):
    """Each modality's mean token through a projection of its own, to a vector of length one (2103.00020).

    In the place of a fusion: modalities do not meet, so each can be embedded where the others are missing.

    Args:
        in_dims: modality → width of its tokens.
        out_dim: D of the space.
        hidden: width of a hidden layer of the projections, beside a linear path; 0 for linear ones; None for none at
            all, where encoders that were trained together share a space already and `in_dims` are `out_dim`.
        dropout: within the projections.
        noise: in training, standard deviation of noise on the inputs, relative to their own size.
        standardise: inputs are brought to mean 0 and deviation 1, number by number, before noise is added.
        power: inputs are raised to it, keeping their signs: below 1 the strongest features drown the others less.

    Shapes: {modality: Tokens `[B, T, in_dims[modality]]`} → Fused `[B, M * D]`, zero where a row lacks a modality.

    Raises:
        ValueError: there is no projection, and a width is not the space's.

    >>> space = SharedSpace({"photo": 4, "title": 6}, out_dim=8)
    >>> fused = space({"photo": Tokens.single(torch.ones(2, 4)), "title": Tokens.missing(2, 6)})
    >>> fused.pooled.view(2, 2, 8).norm(dim=2).round(decimals=4).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """

    stage = "aligned"

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        hidden: int | None = 512,
        dropout: float = 0.1,
        noise: float = 0.0,
        power: float = 1.0,
        standardise: bool = False,
    ) -> None:
        super().__init__()
        self.names = list(in_dims)
        self.noise, self.power = noise, power
        if hidden is None and any(dim != out_dim for dim in in_dims.values()):
            raise ValueError(f"without projections every encoder must give {out_dim} numbers, got {dict(in_dims)}")
        self.scalings = NamedModules({name: Standardised(dim) for name, dim in in_dims.items()} if standardise else {})
        self.projections = NamedModules(
            {
                name: nn.Identity() if hidden is None else Projection(dim, out_dim, hidden, dropout)
                for name, dim in in_dims.items()
            }
        )

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        vectors = []
        for name in self.names:
            x_BD = masked_mean(tokens[name])
            if self.power != 1:
                x_BD = x_BD.sign() * x_BD.abs().pow(self.power)
            if name in self.scalings:
                x_BD = self.scalings[name](x_BD, tokens[name].present)
            if self.noise and self.training:
                scale_B1 = x_BD.detach().norm(dim=1, keepdim=True) / x_BD.shape[1] ** 0.5
                x_BD = x_BD + self.noise * scale_B1 * torch.randn_like(x_BD)
            unit_BD = nn.functional.normalize(at_least_float32(self.projections[name](x_BD)), dim=1)
            vectors.append(unit_BD * tokens[name].present.unsqueeze(1))
        pooled = torch.cat(vectors, dim=1)
        return Fused(pooled, lambda: self._as_tokens(vectors, tokens))

    def _as_tokens(self, vectors: list[Tensor], tokens: Mapping[str, Tokens]) -> Tokens:
        present = torch.stack([tokens[name].present for name in self.names], dim=1)
        return Tokens(torch.stack(vectors, dim=1), present)


class Standardised(nn.Module):
    """Each number of a vector less its mean, over its deviation: those of all training rows that had one.

    Numbers of frozen encoders differ in size by orders of magnitude; a few would else be all that noise leaves visible.

    Args:
        dim: of the vectors.

    Shapes: `[B, D]`, `[B]` bool: the row has one → `[B, D]`.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, affine=False, momentum=None)  # the mean over all batches

    def forward(self, x_BD: Tensor, present_B: Tensor) -> Tensor:
        x_BD = at_least_float32(x_BD)
        if self.training and int(present_B.sum()) > 1:
            x_BD = x_BD.masked_scatter(present_B.unsqueeze(1), self.norm(x_BD[present_B]))
            return x_BD * present_B.unsqueeze(1)
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None
        return (x_BD - mean) * torch.rsqrt(variance + self.norm.eps)


class Projection(nn.Module):
    """A linear path, and beside it a normalised hidden layer.

    Args:
        in_dim, out_dim: widths.
        hidden: of the hidden layer; 0 for the linear path alone.
        dropout: of inputs and hidden units.
    """

    def __init__(self, in_dim: int, out_dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.linear = nn.Linear(in_dim, out_dim, bias=False)
        self.hidden = (
            nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(in_dim, hidden),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, out_dim),
            )
            if hidden
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.linear(x) if self.hidden is None else self.linear(x) + self.hidden(x)
