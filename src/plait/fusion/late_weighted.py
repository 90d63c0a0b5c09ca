"""The weighted mean of the modalities' answers."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from plait.layers.experts import Experts, mixture, shares
from plait.layers.spaces import Space
from plait.types import Fused, Tokens


class LateWeightedFusion(nn.Module):
    """Each modality has its own predictor; the answer is the mean of their distributions with one learned weight a
    modality, made to add to one over those that a row has: a mixture of experts (Jacobs et al., 1991) with a constant
    gate. `weights()` says how much each is heard.

    Stage: late.

    Args:
        in_dims: modality → D.
        out_dim: O, raw predictions: `pooled` of the result is the answer itself.
        dropout: in the predictors.
        hidden: width of each predictor's hidden layer; 0 for a linear one.
        spaces: what each target's raw predictions are; None for one set of classes.

    >>> fusion = LateWeightedFusion({"photo": 8, "title": 4}, out_dim=3)
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
        self.logits = nn.Parameter(torch.zeros(len(in_dims)))

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        said_BMO, present_BM = self.experts(tokens)
        answer_BO = mixture(said_BMO, shares(self.logits.softmax(dim=0), present_BM), self.experts.spaces)
        return self.experts.fused(answer_BO, said_BMO, present_BM, tokens)

    def weights(self) -> dict[str, float]:
        """The weight of each modality where a row has all."""
        return dict(zip(self.experts.heads, self.logits.softmax(dim=0).tolist(), strict=True))
