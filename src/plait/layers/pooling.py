"""Many tokens → one vector."""

import torch
from torch import Tensor

from plait.types import Fused, Tokens


def masked_mean(tokens: Tokens) -> Tensor:
    """Mean of the real tokens of each row, `[B, D]`; zero where a row has none.

    >>> tokens = Tokens(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]]))
    >>> masked_mean(tokens).tolist()
    [[3.0]]
    """
    if tokens.x.shape[1] == 1:
        return tokens.x[:, 0].masked_fill(~tokens.mask, 0)
    weight_BT = tokens.mask.to(tokens.x.dtype)
    weight_BT = weight_BT / weight_BT.sum(dim=1, keepdim=True).clamp(min=1)
    x = tokens.x.masked_fill(~tokens.mask.unsqueeze(-1), 0)  # padding may hold anything, NaN too
    return (weight_BT.unsqueeze(1) @ x).squeeze(1)


def vector_and_tokens(fused: Fused) -> Tokens:
    """The fused vector, then the fused tokens, `[B, 1 + T, H]`; nothing of a row that has nothing.

    What a fusion has made of the modalities together (their product, say) is often in the vector and not in the tokens.
    """
    tokens = fused.tokens
    x = torch.cat([fused.pooled.unsqueeze(1).to(tokens.x.dtype), tokens.x], dim=1)
    return Tokens(x, torch.cat([tokens.present.unsqueeze(1), tokens.mask], dim=1))
