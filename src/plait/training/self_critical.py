"""Self-critical training: what a decoder draws is rewarded by how much better it scores than what it would write."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.generation.search import generate
from plait.generation.settings import GenerationSettings
from plait.tasks import Generation
from plait.tasks.generation import CODE
from plait.types import Batch, Tokens


class SelfCritic:
    """The policy gradient of 1612.00563 with the greedy text as baseline.

    The reward is CIDEr-D against the references at hand (exact match where answers are short), with the idf of the
    training texts. Differs from the paper in a mean over each text's tokens, so that long ones do not weigh more.

    Args:
        task: what is written.
        seed: of the draws.
    """

    def __init__(self, task: Generation, seed: int = 0) -> None:
        self.task, self.seed, self.draws = task, seed, 0

    def __call__(self, model: Any, batch: Batch) -> Tensor:
        """The loss of one drawn text per row."""
        unwrapped = getattr(model, "module", model)
        drawn, advantage = self._drawn(unwrapped, batch)
        ids = torch.full_like(batch.targets[self.task.target], -1)
        ids[:, 0] = batch.targets[self.task.target][:, 0]
        ids[:, CODE : CODE + drawn.shape[1]] = drawn
        logits = model(Batch(batch.inputs, {**batch.targets, self.task.target: ids}, batch.rows))
        logits = logits.predictions[self.task.target]
        return policy_loss(logits, drawn[:, : logits.shape[1]], advantage)

    @torch.no_grad()
    def _drawn(self, unwrapped: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """`[B, L]` drawn tokens and `[B]` how much better they score than the greedy text."""
        unwrapped.eval()
        tokens: dict[str, Tokens] = {n: unwrapped.encode(n, batch.inputs[n], len(batch)) for n in unwrapped.encoders}
        context = unwrapped.head.context(unwrapped.fusion(tokens))
        length = min(unwrapped.head.generation.max_length, self.task.texts.max_length)
        greedy = GenerationSettings(max_length=length)
        self.draws += 1  # each call draws with a seed of its own
        wild = replace(greedy, temperature=1.0, seed=self.seed * 1_000_003 + self.draws)
        token_ids = [generate(unwrapped.head.decoder, context, settings).ids[:, 0] for settings in (wild, greedy)]
        unwrapped.train()
        codes = batch.targets[self.task.target][:, 0].cpu().numpy()
        scores = [self.task.rewards([self.task.texts.decode(row) for row in ids.tolist()], codes) for ids in token_ids]
        return token_ids[0], torch.from_numpy((scores[0] - scores[1]).astype(np.float32)).to(context.x.device)


def policy_loss(logits_BLV: Tensor, ids_BL: Tensor, advantage_B: Tensor) -> Tensor:
    """Minus the mean of advantage times the log-probability of what was drawn, averaged over each text's tokens.

    >>> logits = torch.zeros(1, 2, 4)
    >>> round(float(policy_loss(logits, torch.tensor([[1, -1]]), torch.tensor([2.0]))), 3)
    2.773
    """
    log_probs = logits_BLV.float().log_softmax(dim=2).gather(2, ids_BL.clamp(min=0)[:, :, None])[:, :, 0]
    real = (ids_BL >= 0).float()
    return -(advantage_B * (log_probs * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()
