"""Each modality's own predictor, and how their opinions mix: what late fusions are made of."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from plait.layers.mlp import MLP
from plait.layers.named import NamedModules
from plait.layers.pooling import masked_mean
from plait.layers.precise import at_least_float32
from plait.layers.projection import check_names, joined
from plait.layers.spaces import Categorical, Space, split
from plait.types import Fused, Tokens


class Experts(nn.Module):
    """An MLP a modality over the mean of its tokens.

    Args:
        in_dims: modality → D.
        out_dim: O, the raw predictions of all targets.
        hidden: width of the hidden layer; 0 for a linear predictor.
        dropout: on the hidden layer.
        spaces: what each target's raw predictions are; None for one set of classes.

    Raises:
        ValueError: no modality.
    """

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        hidden: int,
        dropout: float,
        spaces: Sequence[Space] | None = None,
    ) -> None:
        super().__init__()
        self.spaces: list[Space] = list(spaces or [Categorical(out_dim)])
        if not in_dims:
            raise ValueError("a fusion needs at least one modality")
        widths = [hidden] if hidden else []
        self.heads = NamedModules({name: MLP(dim, widths, out_dim, dropout) for name, dim in in_dims.items()})

    def forward(self, tokens: Mapping[str, Tokens]) -> tuple[Tensor, Tensor]:
        """`[B, M, O]` raw predictions, zero where missing, and `[B, M]` bool: present."""
        check_names(self.heads, tokens)
        present_BM = torch.stack([tokens[name].present for name in self.heads], dim=1)
        logits = [at_least_float32(head(masked_mean(tokens[name]))) for name, head in self.heads.items()]
        said_BMO = torch.stack(logits, dim=1)
        return said_BMO.masked_fill(~present_BM.unsqueeze(-1), 0), present_BM

    def fused(self, answer_BO: Tensor, said_BMO: Tensor, present_BM: Tensor, tokens: Mapping[str, Tokens]) -> Fused:
        """A late fusion's result: its answer, and what each modality says alone."""
        alone = {name: (said_BMO[:, i], present_BM[:, i]) for i, name in enumerate(self.heads)}
        return Fused(answer_BO, lambda: self._tokens(tokens), alone)

    def _tokens(self, tokens: Mapping[str, Tokens]) -> Tokens:
        """What each token would say by itself, `[B, sum of T, O]`."""
        logits = {}
        for name, head in self.heads.items():
            sequence = tokens[name]
            logits[name] = Tokens(head(sequence.x.masked_fill(~sequence.mask.unsqueeze(-1), 0)), sequence.mask)
        return joined(logits)


def mixture(said_BMO: Tensor, weights_BM: Tensor, spaces: Sequence[Space]) -> Tensor:
    """The weighted mean of distributions, as raw predictions `[B, O]`.

    Args:
        said_BMO: raw predictions of each modality.
        weights_BM: of each, adding to one; zero where missing.
        spaces: of each target, in the order of O.

    >>> said = torch.tensor([[[0.0, 0.0], [20.0, 0.0]]])
    >>> mixture(said, torch.tensor([[0.5, 0.5]]), [Categorical(2)]).exp().round(decimals=2).tolist()
    [[0.75, 0.25]]
    """
    return torch.cat([space.mix(logits, weights_BM) for logits, space in split(said_BMO, spaces)], dim=1)


def shares(weights_M: Tensor, present_BM: Tensor) -> Tensor:
    """Positive weights, made to add to one over the modalities that a row has; even where it has none."""
    weights_BM = torch.where(present_BM.any(dim=1, keepdim=True), weights_M * present_BM, torch.ones_like(weights_M))
    return weights_BM / weights_BM.sum(dim=1, keepdim=True)


def stacked(said_BMO: Tensor, present_BM: Tensor, spaces: Sequence[Space]) -> Tensor:
    """What a stacking model reads, `[B, M * O + M]`: columns of each space, zero where missing; then who is present."""
    columns_BMO = torch.cat([space.columns(logits) for logits, space in split(said_BMO, spaces)], dim=2)
    answers_BMO = columns_BMO.masked_fill(~present_BM.unsqueeze(-1), 0)
    return torch.cat([answers_BMO.flatten(1), present_BM.to(answers_BMO.dtype)], dim=1)
