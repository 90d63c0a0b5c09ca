"""Many tokens → one vector."""

from torch import Tensor

from plait.types import Tokens


def masked_mean(tokens: Tokens) -> Tensor:
    """Mean of the real tokens of each row, `[B, D]`; zero where a row has none.

    >>> import torch
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
