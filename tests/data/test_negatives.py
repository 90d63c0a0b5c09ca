"""Non-matches that are drawn within a batch."""

import torch

from plait.data.negatives import CANDIDATES, with_negatives
from plait.types import Batch, Input


def batch_of(codes: list[list[int]]) -> Batch:
    inputs = {
        name: Input({"x": torch.arange(float(len(codes))).view(-1, 1, 1), "mask": torch.ones(len(codes), 1) > 0})
        for name in ("photo", "title")
    }
    target = torch.tensor([[1, *row] for row in codes])
    return Batch(inputs, {"match": target}, torch.arange(len(codes)))


def test_negatives_of_a_batch_share_its_values() -> None:
    torch.manual_seed(0)
    batch = batch_of([[0, 0], [1, 1], [1, 2], [2, 3], [3, 0]])
    found = with_negatives(batch, "match", "photo")
    assert len(found) == 10 and found.inputs["photo"].features is batch.inputs["photo"].features
    anchors, rest = (found.inputs[name].index[:, 0] for name in ("photo", "title"))
    codes = batch.targets["match"]
    for row in range(5, 10):
        assert codes[anchors[row], 1] != codes[rest[row], 1] and codes[anchors[row], 2] != codes[rest[row], 2]
    assert found.targets["match"][:, 0].tolist() == [1] * 5 + [0] * 5


def test_hard_negatives_are_those_that_the_model_takes_for_matches() -> None:
    torch.manual_seed(0)
    batch = batch_of([[n, n] for n in range(40)])

    def score(candidates: Batch) -> torch.Tensor:  # the nearer the numbers, the more they seem to match
        a, b = (candidates.inputs[name].index[:, 0] for name in ("photo", "title"))
        assert len(candidates) == 40 * CANDIDATES
        return -(a - b).abs().float().unsqueeze(1)

    def distance(found: Batch) -> float:
        a, b = (found.inputs[name].index[40:, 0] for name in ("photo", "title"))
        return float((a - b).abs().float().mean())

    hard, random = with_negatives(batch, "match", "photo", score), with_negatives(batch, "match", "photo")
    assert distance(hard) < distance(random) / 2
