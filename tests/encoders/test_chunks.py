"""A batch in parts gives the gradients and statistics of the whole."""

from typing import Any

import torch

from fakes import FakeEncoder
from plait.alignment import info_nce
from plait.encoders.chunks import encode_in_chunks


def test_parts_of_a_batch_give_its_gradients() -> None:
    torch.manual_seed(0)
    encoder = FakeEncoder()
    features = {"x": torch.randn(10, 3, 4), "mask": torch.ones(10, 3, dtype=torch.bool)}
    seen: list[int] = []
    encoder.register_forward_pre_hook(lambda _, given_: seen.append(len(given_[0]["x"])))

    def gradient(run: Any) -> torch.Tensor:
        encoder.zero_grad()
        pooled = run().x.mean(dim=1)
        info_nce(pooled, pooled.flip(1), 1.0).backward()
        return encoder.linear.weight.grad.clone()

    whole = gradient(lambda: encoder(features))
    seen.clear()
    parts = gradient(lambda: encode_in_chunks(encoder, features, 4))
    assert torch.allclose(whole, parts, atol=1e-6)
    assert max(seen) == 4 and seen.count(4) == 4  # two whole parts, each forwards and once more for its gradient


def test_parts_leave_moving_statistics_as_one_pass_would() -> None:
    torch.manual_seed(0)

    class Normed(FakeEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(8)

        def forward(self, features: dict[str, torch.Tensor]) -> Any:
            tokens = super().forward(features)
            tokens.x = self.norm(tokens.x.flatten(0, 1)).view_as(tokens.x)
            return tokens

    encoder = Normed()
    features = {"x": torch.randn(6, 1, 4), "mask": torch.ones(6, 1, dtype=torch.bool)}
    encode_in_chunks(encoder, features, 3).x.square().sum().backward()
    assert int(encoder.norm.num_batches_tracked) == 2  # each part once, though each was encoded twice
