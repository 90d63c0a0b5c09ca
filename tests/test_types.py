import torch
from hypothesis import given
from hypothesis import strategies as st

from fakes import fake_batch, fake_tokens
from plait.types import Input, Tokens


def test_take_repeats_values_and_marks_absent_ones() -> None:
    tokens = fake_tokens(3, 2, 4)
    taken = tokens.take(torch.tensor([[2, -1], [0, 1], [-1, -1]]))
    assert taken.x.shape == (3, 4, 4)
    assert torch.equal(taken.x[1, 2:], tokens.x[1])
    assert torch.equal(taken.mask[0, :2], tokens.mask[2])
    assert taken.present.tolist() == [True, True, False]


@given(st.lists(st.lists(st.integers(-1, 4), min_size=2, max_size=2), min_size=1, max_size=8))
def test_take_mask_is_that_of_the_values(index: list[list[int]]) -> None:
    tokens = fake_tokens(5, 3, 2, seed=1)
    taken = tokens.take(torch.tensor(index))
    for row, positions in enumerate(index):
        expected = [m for p in positions for m in (tokens.mask[p].tolist() if p >= 0 else [False] * 3)]
        assert taken.mask[row].tolist() == expected


def test_take_keeps_where() -> None:
    tokens = Tokens(torch.zeros(2, 1, 3), torch.ones(2, 1, dtype=torch.bool), torch.arange(8.0).view(2, 1, 4))
    assert tokens.take(torch.tensor([[1], [0]])).where.flatten().tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


def test_batch_to_the_same_device_is_itself() -> None:
    batch = fake_batch()
    assert batch.to("cpu") is batch
    assert Input({}).empty
