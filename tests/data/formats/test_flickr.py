"""Captions as Flickr lists give them."""

from pathlib import Path

import pytest

from plait.data.readers import open_table
from plait.errors import DataError


def test_a_list_of_captions_with_a_quote_in_a_name(folder: Path) -> None:
    """Found by the fuzzer."""
    (folder / "results.csv").write_text('image_name| comment_number|"comment\na.png| 0| a blue "square\n')
    with pytest.raises(DataError, match=r"expected the columns image_name and comment|the table is damaged"):
        open_table(folder / "results.csv")
