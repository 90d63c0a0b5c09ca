"""Shards of WebDataset."""

import pytest

from plait.data.formats.web_dataset import expand
from plait.errors import DataError


def test_a_pattern_names_a_bounded_number_of_shards() -> None:
    for pattern in ("{0..30000000}.tar", "{9..1}.tar", "{0.." + "9" * 99 + "}.tar", "{0..999}" * 3 + ".tar"):
        with pytest.raises(DataError, match="shards"):
            expand(pattern)
