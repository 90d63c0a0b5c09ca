"""Losses that pull what belongs together close and push the rest of the batch away."""

import torch
import torch.nn.functional as F
from torch import Tensor

from plait.layers import at_least_float32


def info_nce(
    a_BD: Tensor,
    b_BD: Tensor,
    temperature: Tensor | float,
    same_BB: Tensor | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """The symmetric contrastive loss of CLIP (2103.00020), after InfoNCE (1807.03748).

    Args:
        a_BD, b_BD: row i of one belongs to row i of the other; normalised.
        temperature: what similarities are divided by, 0.07 to begin with; may be learned.
        same_BB: bool, True where row i of a and row j of b belong together too, such as another caption of the same
            image or a text that comes twice: they are no negatives of each other.
        hardness: how much more a negative counts the closer it is (beta of 2010.04592, in units of the logits; the
            weights have a mean of one and get no gradient); 0 for all alike.

    >>> apart = torch.eye(4)
    >>> bool(info_nce(apart, apart, 0.07) < info_nce(apart, apart.flip(0), 0.07))
    True
    """
    logits_BB = at_least_float32(a_BD @ b_BD.T) / temperature
    logits_BB = logits_BB.masked_fill(_others(same_BB, logits_BB), -torch.inf)
    if hardness:
        return (_harder(logits_BB, hardness) + _harder(logits_BB.T, hardness)) / 2
    target_B = torch.arange(len(a_BD), device=a_BD.device)
    return (F.cross_entropy(logits_BB, target_B) + F.cross_entropy(logits_BB.T, target_B)) / 2


def _harder(logits_BB: Tensor, hardness: float) -> Tensor:
    """Cross-entropy with negatives weighed by their own closeness."""
    diagonal_BB = torch.eye(len(logits_BB), dtype=torch.bool, device=logits_BB.device)
    negatives_BB = logits_BB.detach().masked_fill(diagonal_BB, -torch.inf)
    count_B1 = negatives_BB.isfinite().sum(dim=1, keepdim=True).clamp(min=1)
    weight_BB = (hardness * negatives_BB).log_softmax(dim=1) + count_B1.log()  # of mean one
    weighed_BB = logits_BB + torch.where(negatives_BB.isfinite(), weight_BB, 0.0)
    return F.cross_entropy(weighed_BB, torch.arange(len(logits_BB), device=logits_BB.device))


def sigmoid_loss(
    a_BD: Tensor, b_BD: Tensor, temperature: Tensor | float, bias: Tensor | float, same_BB: Tensor | None = None
) -> Tensor:
    """Each pair of the batch is a yes-or-no question of its own (SigLIP, 2303.15343).

    Args:
        a_BD, b_BD: row i of one belongs to row i of the other; normalised.
        temperature: what similarities are divided by, 0.1 to begin with; the paper learns its inverse.
        bias: added to them, -10 to begin with.
        same_BB: as in `info_nce`; such pairs are no question at all.
    """
    logits_BB = at_least_float32(a_BD @ b_BD.T) / temperature + bias
    sign_BB = 2 * torch.eye(len(a_BD), device=a_BD.device) - 1
    asked_BB = ~_others(same_BB, logits_BB)
    return -(F.logsigmoid(sign_BB * logits_BB) * asked_BB).sum() / len(a_BD)


def triplet_loss(
    a_BD: Tensor, b_BD: Tensor, margin: float = 0.2, same_BB: Tensor | None = None, hardest: bool = True
) -> Tensor:
    """What belongs together is closer by a margin than what does not, in both directions (VSE++, 1707.05612).

    Args:
        a_BD, b_BD: row i of one belongs to row i of the other; normalised.
        margin: by how much, in cosine.
        same_BB: as in `info_nce`.
        hardest: count the hardest negative of the batch alone, as the paper does; else the mean of all.
    """
    scores_BB = at_least_float32(a_BD @ b_BD.T)
    matching_B = scores_BB.diagonal()
    skip_BB = _others(same_BB, scores_BB) | torch.eye(len(a_BD), dtype=torch.bool, device=a_BD.device)
    cost_a = (margin + scores_BB - matching_B[:, None]).clamp(min=0).masked_fill(skip_BB, 0)
    cost_b = (margin + scores_BB - matching_B[None, :]).clamp(min=0).masked_fill(skip_BB, 0)
    if hardest:
        return (cost_a.amax(dim=1) + cost_b.amax(dim=0)).mean()
    return (cost_a + cost_b).sum() / (~skip_BB).sum().clamp(min=1)


def _others(same_BB: Tensor | None, like_BB: Tensor) -> Tensor:
    """Pairs beside the diagonal that belong together."""
    if same_BB is None:
        return torch.zeros_like(like_BB, dtype=torch.bool)
    return same_BB & ~torch.eye(len(like_BB), dtype=torch.bool, device=like_BB.device)
