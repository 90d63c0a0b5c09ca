"""Every modality into one width: what most fusions begin with."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from plait.errors import DataError, nearest
from plait.layers.named import NamedModules
from plait.layers.pooling import masked_mean
from plait.layers.positions import PlaceEmbedding
from plait.types import Tokens


class ModalityProjection(nn.Module):
    """One linear map a modality, from its own width to a shared one.

    Pooling before the linear map equals pooling after it and costs T times less, so `vectors` pools first and
    `tokens` maps every token only where a decoder asks.

    Args:
        in_dims: modality → D.
        out_dim: the shared width H.
        positions: add to each token of `sequences` and `tokens` where it lies (`Tokens.where`).

    Raises:
        ValueError: no modality.
    """

    def __init__(self, in_dims: Mapping[str, int], out_dim: int, positions: bool = False) -> None:
        super().__init__()
        if not in_dims:
            raise ValueError("a fusion needs at least one modality")
        self.linears = NamedModules({name: nn.Linear(dim, out_dim) for name, dim in in_dims.items()})
        self.places = NamedModules({name: PlaceEmbedding(out_dim) for name in in_dims} if positions else {})

    def vectors(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, Tensor]:
        """`[B, M, H]` one vector a modality, zero where missing, and `[B, M]` bool: it is present."""
        check_names(self.linears, tokens)
        projected, present = [], []
        for name, linear in self.linears.items():
            present.append(tokens[name].present)
            vector_BH = linear(masked_mean(tokens[name]))
            projected.append(vector_BH.masked_fill(~present[-1].unsqueeze(1), 0))
        return torch.stack(projected, dim=1), torch.stack(present, dim=1)

    def sequences(self, tokens: Mapping[str, Tokens]) -> dict[str, Tokens]:
        """Each modality's tokens in the shared width; padding is zero, whatever it held."""
        check_names(self.linears, tokens)
        projected = {}
        for name, linear in self.linears.items():
            padding = ~tokens[name].mask.unsqueeze(-1)
            x = linear(tokens[name].x.masked_fill(padding, 0))
            if name in self.places:
                where = tokens[name].where
                x = x + self.places[name](None if where is None else where.masked_fill(padding, 0)).to(x.dtype)
            x = x.masked_fill(padding, 0)
            projected[name] = Tokens(x, tokens[name].mask, tokens[name].where)
        return projected

    def tokens(self, tokens: Mapping[str, Tokens]) -> Tokens:
        """All tokens of all modalities in one sequence, `[B, sum of T, H]`."""
        return joined(self.sequences(tokens))


def check_names(expected: Iterable[str], tokens: Mapping[str, Tokens]) -> None:
    """Raise `DataError` where a modality that the fusion was built for is missing."""
    for name in expected:
        if name not in tokens:
            came = ", ".join(tokens) or "nothing"
            hint = nearest(name, tokens)
            raise DataError(
                f"the fusion expects modality {name!r}, got {came}{hint or '.'} "
                "Pass Tokens.missing(...) for a modality that no row has"
            )


def joined(sequences: Mapping[str, Tokens]) -> Tokens:
    """Sequences of one width, one after the other."""
    x = torch.cat([tokens.x for tokens in sequences.values()], dim=1)
    return Tokens(x, torch.cat([tokens.mask for tokens in sequences.values()], dim=1))
