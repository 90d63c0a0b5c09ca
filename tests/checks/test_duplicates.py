"""Near matches among fingerprints."""

from hypothesis import given
from hypothesis import strategies as st

from plait.checks.duplicates import near_matches


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20),
    st.integers(0, 19),
    st.sets(st.integers(0, 63), max_size=3),
)
def test_near_matches_finds_all_within_three_bits(known: list[int], position: int, bits: set[int]) -> None:
    query = known[position % len(known)]
    for bit in bits:
        query ^= 1 << bit
    [(first, found)] = near_matches([query], known)
    assert first == 0 and (known[found] ^ query).bit_count() <= 3
