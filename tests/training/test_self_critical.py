"""Self-critical training: on rewards alone, what is written comes to score better."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from fakes import FakeEncoder
from plait.decoders import TextTransformer
from plait.fusion import ConcatFusion
from plait.generation.settings import GenerationSettings
from plait.heads import WriteHead
from plait.model import MultimodalModel
from plait.training.self_critical import SelfCritic, policy_loss
from plait.types import Batch, Input

BEGIN, END = 0, 1


def test_it_learns_what_is_rewarded() -> None:
    """The word that a row's input names is right; nobody ever tells the decoder which."""
    torch.manual_seed(0)
    decoder = TextTransformer(8, BEGIN, END, 16, dim=16, layers=1, heads=2, dropout=0.0, max_length=4)
    head = WriteHead("y", decoder, GenerationSettings(max_length=2))
    model = MultimodalModel({"a": FakeEncoder(4, 8)}, ConcatFusion({"a": 8}, 16), head).train()
    texts = SimpleNamespace(max_length=2, decode=lambda ids: str(ids[0]))

    def rewards(said: list[str], codes: np.ndarray) -> np.ndarray:
        return np.array([float(text == str(code + 2)) for text, code in zip(said, codes, strict=True)])

    task: Any = SimpleNamespace(target="y", texts=texts, rewards=rewards)
    critic = SelfCritic(task)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def batch() -> Batch:
        codes = torch.randint(0, 4, (64,))
        x = torch.eye(4)[codes][:, None]
        truth = torch.full((64, 3), -1)
        truth[:, 0], truth[:, 1] = codes, END  # the text to learn says nothing of the right word
        return Batch(
            {"a": Input({"x": x, "mask": torch.ones(64, 1, dtype=torch.bool)})}, {"y": truth}, torch.arange(64)
        )

    def score() -> float:
        model.eval()
        asked = batch()
        with torch.no_grad():
            found = model(asked).predictions["y"].ids[:, 0]
        model.train()
        return float((found == asked.targets["y"][:, 0] + 2).float().mean())

    before = score()
    for _ in range(120):
        optimizer.zero_grad()
        critic(model, batch()).backward()
        optimizer.step()
    assert before < 0.5 and score() > 0.9


def test_the_gradient_follows_the_advantage() -> None:
    logits = torch.zeros(2, 1, 3, requires_grad=True)
    policy_loss(logits, torch.tensor([[0], [1]]), torch.tensor([1.0, -2.0])).backward()
    assert logits.grad is not None
    # d/dlogits of -(advantage * log softmax) / 2: -(advantage / 2) * (onehot - 1/3)
    expected = torch.tensor([[[-1 / 3, 1 / 6, 1 / 6]], [[-1 / 3, 2 / 3, -1 / 3]]])
    torch.testing.assert_close(logits.grad, expected)
