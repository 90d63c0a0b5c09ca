"""A linear model over the modalities' answers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from plait.layers.experts import Experts, stacked
from plait.layers.spaces import Space
from plait.types import Fused, Tokens


class StackingFusion(nn.Module):
    """Stacking (Wolpert, 1992): the answer is linear in all modalities' raw answers and in which of them a row has. The
    weights are not learned by gradient on answers that the predictors gave to rows they were trained on, but set by
    `set_combiner` from a model fitted on out-of-fold answers (`plait.runs.stacking`); until then they take the mean.

    Stage: late.

    Args:
        in_dims: modality → D.
        out_dim: O, raw predictions: `pooled` of the result is the answer itself.
        dropout: in the predictors.
        hidden: width of each predictor's hidden layer; 0 for a linear one.
        spaces: what each target's raw predictions are; None for one set of classes.

    >>> fusion = StackingFusion({"photo": 8, "title": 4}, out_dim=3)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 3])
    """

    stage = "late"
    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        in_dims: Mapping[str, int],
        out_dim: int,
        dropout: float = 0.0,
        hidden: int = 128,
        spaces: Sequence[Space] | None = None,
    ) -> None:
        super().__init__()
        self.experts = Experts(in_dims, out_dim, hidden, dropout, spaces)
        count, width = len(in_dims), out_dim
        self.register_buffer(
            "weight", torch.cat([torch.eye(width).repeat(1, count) / count, torch.zeros(width, count)], 1)
        )
        self.register_buffer("bias", torch.zeros(width))

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        said_BMO, present_BM = self.experts(tokens)
        weight, bias = self.weight.to(said_BMO.dtype), self.bias.to(said_BMO.dtype)
        answer_BO = stacked(said_BMO, present_BM, self.experts.spaces) @ weight.T + bias
        return self.experts.fused(answer_BO, said_BMO, present_BM, tokens)

    def set_combiner(self, weight: Tensor, bias: Tensor) -> None:
        """Take over fitted weights `[O, M * O + M]` and bias `[O]`; the inputs are those of `stacked`."""
        self.weight.copy_(weight)
        self.bias.copy_(bias)
