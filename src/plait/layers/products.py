"""Products of modalities, in which a missing one is a factor of one."""

import torch
from torch import Tensor


def product_of_present(vectors_BMH: Tensor, present_BM: Tensor) -> Tensor:
    """The element-wise product over the modalities that a row has, `[B, H]`; zero where it has none.

    >>> product_of_present(torch.tensor([[[2.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]])).tolist()
    [[6.0]]
    """
    product_BH = vectors_BMH.masked_fill(~present_BM.unsqueeze(-1), 1).prod(dim=1)
    return product_BH.masked_fill(~present_BM.any(dim=1, keepdim=True), 0)


def signed_root(x: Tensor) -> Tensor:
    """`sign(x) * sqrt(|x|)`, smooth around zero (`x / sqrt(|x| + 1e-6)`): tames the large values of products.

    >>> [round(value, 3) for value in signed_root(torch.tensor([4.0, -9.0, 0.0])).tolist()]
    [2.0, -3.0, 0.0]
    """
    return x * torch.rsqrt(x.abs() + 1e-6)
