"""Shards of WebDataset."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.formats.web_dataset import expand
from plait.data.readers import open_table
from plait.errors import DataError


def test_a_pattern_names_a_bounded_number_of_shards() -> None:
    huge = "0" * 5000
    for pattern in (
        f"{{{huge}..9}}.tar",
        "{0..30000000}.tar",
        "{9..1}.tar",
        "{0.." + "9" * 99 + "}.tar",
        "{0..999}" * 3 + ".tar",
    ):
        with pytest.raises(DataError, match="shards"):
            expand(pattern)


@pytest.mark.parametrize(
    "head", [b"\x1f\x8b\x08", b"\x1f\x8b\x08\x04\0\0\0\0\0\0\x09", b"BZh9", b"\xfd7zXZ", b"\0" * 511]
)
def test_a_shard_of_which_tarfile_makes_no_sense(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "t.tar").write_bytes(head)
    with pytest.raises(DataError, match=r"t\.tar: "):
        open_table(tmp_path / "t.tar")


@given(first=st.integers(0, 40), count=st.integers(1, 12), width=st.integers(1, 5))
def test_braces_stand_for_every_number(first: int, count: int, width: int) -> None:
    low, high = str(first).zfill(width), str(first + count - 1).zfill(width)
    expected = [f"s-{str(n).zfill(len(low))}.tar" for n in range(first, first + count)]
    assert expand(f"s-{{{low}..{high}}}.tar") == expected
    assert expand("s-{a,b}-{0..1}.tar") == ["s-a-0.tar", "s-a-1.tar", "s-b-0.tar", "s-b-1.tar"]
