"""The mean of the modalities' answers."""

from collections.abc import Mapping, Sequence

from torch import nn

from plait.layers.experts import Experts, mixture, shares
from plait.layers.spaces import Space
from plait.types import Fused, Tokens


class LateMeanFusion(nn.Module):
    """Each modality has its own predictor; the answer is the mean of their distributions (of their numbers, for a
    number) over those that a row has. The sum rule of Kittler et al. (TPAMI 1998).

    The predictors learn from their own losses beside that of the mean.

    Stage: late.

    Args:
        in_dims: modality → D.
        out_dim: O, raw predictions: `pooled` of the result is the answer itself.
        dropout: in the predictors.
        hidden: width of each predictor's hidden layer; 0 for a linear one.
        spaces: what each target's raw predictions are; None for one set of classes.

    >>> import torch
    >>> fusion = LateMeanFusion({"photo": 8, "title": 4}, out_dim=3)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 3])
    """

    stage = "late"

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

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        said_BMO, present_BM = self.experts(tokens)
        even_M = said_BMO.new_ones(said_BMO.shape[1])
        answer_BO = mixture(said_BMO, shares(even_M, present_BM), self.experts.spaces)
        return self.experts.fused(answer_BO, said_BMO, present_BM, tokens)
