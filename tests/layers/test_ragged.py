"""`Ragged` against lists: rows of unlike length are cut and joined as lists are."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plait.layers.ragged import Ragged, items_of, joined
from plait.types import Tokens

rows_of = st.lists(st.lists(st.integers(-5, 5), max_size=4), min_size=1, max_size=6)


def made(rows: list[list[int]]) -> Ragged:
    return Ragged.of([np.array(row, np.int64) for row in rows], np.empty(0, np.int64))


@given(rows_of, st.data())
def test_rows_are_cut_and_joined_as_lists_are(rows: list[list[int]], data: st.DataObject) -> None:
    one = made(rows)
    assert len(one) == len(rows) and one.rows() == rows and one.tensor().numpy().rows() == rows
    order = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    assert one[np.array(order, np.int64)].rows() == [rows[place] for place in order]
    assert one.tensor()[torch.tensor(order, dtype=torch.int64)].rows() == [rows[place] for place in order]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    assert one[mask].rows() == [row for row, kept in zip(rows, mask, strict=True) if kept]
    assert one[1:].rows() == rows[1:] and one[0].rows() == rows[:1]
    assert joined([one, one[::-1]]).rows() == rows + rows[::-1]
    padded = one.padded(-9)
    assert [[x for x in row.tolist() if x != -9] for row in padded] == rows
    lengths = np.array([data.draw(st.integers(0, 6)) for _ in rows])
    assert one.cut_to(lengths, -9).rows() == [(row + [-9] * 6)[:n] for row, n in zip(rows, lengths, strict=True)]
    means = one.row_means(one.flat.astype(float))
    assert means.tolist() == pytest.approx([float(np.mean(row)) if row else 0.0 for row in rows])


def test_items_of_a_batch_and_of_all_rows_agree() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    tokens = Tokens(torch.randn(2, 3, 4), mask)
    truth = made([[1, 0, 2], [3, 3]])  # of the second row the model saw one word only
    flat, target, rows = items_of(tokens, truth.padded(-1))
    assert flat.shape == (4, 4) and target.tolist() == [1, 0, 2, 3] and rows is not None
    again, same, _ = items_of(Ragged.from_tokens(tokens), truth)
    assert torch.equal(again, flat) and same.tolist() == target.tolist()
    short, target, _ = items_of(tokens, made([[1], []]).padded(-1))
    assert target.tolist() == [1, -1, -1, -1] and len(short) == 4
    with pytest.raises(ValueError, match="rows of 3 items in all, 2 items"):
        Ragged(np.zeros(2), [1, 2])
