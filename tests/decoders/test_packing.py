"""Rows of unlike length share lines."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from plait.decoders.packing import pack


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_lines_hold_every_row_once(lengths: list[int]) -> None:
    width = max(lengths)
    lines = pack([[place >= width - length for place in range(width)] for length in lengths])
    assert sorted(row for line in lines.rows for row in line) == list(range(len(lengths)))
    assert lines.length == width
    place, position, owner = lines.tables()
    for row, length in enumerate(lengths):
        flat = zip(*(chain.from_iterable(table) for table in (place, position, owner)), strict=True)
        mine = [(at, nth) for at, nth, whose in flat if whose == row]
        assert mine == [(row * width + width - length + n, n) for n in range(length)]
