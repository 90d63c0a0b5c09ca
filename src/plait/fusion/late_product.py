"""The product of the modalities' answers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from plait.layers.experts import Experts
from plait.layers.spaces import Space
from plait.types import Fused, Tokens


class LateProductFusion(nn.Module):
    """A product of experts (Hinton, 2002): probabilities are multiplied and normalised, so that a modality which is
    sure outvotes those which are not, and one that rules a class out is final. For classes and labels that is the sum
    of the logits; numbers are Gaussian experts with a learned precision each, whose product has the
    precision-weighted mean. A missing modality is no factor.

    Stage: late.

    Args:
        in_dims: modality → D.
        out_dim: O, raw predictions: `pooled` of the result is the answer itself.
        dropout: in the predictors.
        hidden: width of each predictor's hidden layer; 0 for a linear one.
        spaces: what each target's raw predictions are; None for one set of classes.

    >>> fusion = LateProductFusion({"photo": 8, "title": 4}, out_dim=3)
    >>> fusion({"photo": Tokens.single(torch.randn(2, 8)), "title": Tokens.missing(2, 4)}).pooled.shape
    torch.Size([2, 3])
    """

    stage = "late"
    is_number: Tensor

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
        self.log_precision = nn.Parameter(torch.zeros(len(in_dims), out_dim))
        is_number = [not space.additive for space in self.experts.spaces for _ in range(space.width)]
        self.register_buffer("is_number", torch.tensor(is_number), persistent=False)

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        said_BMO, present_BM = self.experts(tokens)
        precision_BMO = self.log_precision.exp() * present_BM.unsqueeze(-1)
        mean_BO = (precision_BMO * said_BMO).sum(dim=1) / precision_BMO.sum(dim=1).clamp(min=1e-6)
        answer_BO = torch.where(self.is_number, mean_BO, (self.log_precision.exp() * said_BMO).sum(dim=1))
        return self.experts.fused(answer_BO, said_BMO, present_BM, tokens)
