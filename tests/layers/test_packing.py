"""Sequences packed side by side: nothing lost, nothing mixed, whatever the lengths."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from plait.layers.packing import Packing

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=9)


@given(LENGTHS, st.sampled_from([1, 2, 4, 8]))
def test_each_place_holds_one_thing_and_all_come_back(lengths: list[int], step: int) -> None:
    packing = Packing(lengths, step)
    x = torch.zeros(len(lengths), max(lengths), 1)
    for number, length in enumerate(lengths):
        x[number, :length, 0] = 100 * (number + 1) + torch.arange(length)
    packed = packing.pack(x)
    assert sorted(packed[packed > 0].tolist()) == sorted(x[x > 0].tolist())
    assert torch.equal(packing.mask(), packed[..., 0] > 0)
    back = packing.unpack(packed[:, ::step])
    for number, length in enumerate(lengths):
        kept = x[number, :length:step, 0]
        assert back[number, : len(kept), 0].tolist() == kept.tolist() and not back[number, len(kept) :].any()


@given(LENGTHS)
def test_a_convolution_sees_no_neighbour(lengths: list[int]) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(3, 2, 3, padding=1, bias=False).double()
    x = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    packing = Packing(lengths, 1)
    packed = convolution(packing.pack(x).transpose(1, 2)).transpose(1, 2)
    for number, (length, y) in enumerate(zip(lengths, packing.unpack(packed), strict=True)):
        alone = convolution(x[number : number + 1, :length].transpose(1, 2)).transpose(1, 2)[0]
        torch.testing.assert_close(y[:length], alone)


def test_little_is_padding() -> None:
    lengths = [100] + 30 * [9]
    packing = Packing(lengths, 1)
    assert packing.rows * packing.width < 1.2 * sum(lengths) + 101
