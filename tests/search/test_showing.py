"""What was found, shown."""

import pytest
from PIL import Image

from plait.errors import DataError
from plait.search import Query, Searcher
from plait.search.showing import contact_sheet, in_protocol, weights_in


def test_a_contact_sheet_is_a_picture(searcher: Searcher) -> None:
    import io

    sheet = contact_sheet(searcher.search(Query("red"), k=7))
    with Image.open(io.BytesIO(sheet)) as picture:
        assert picture.size == (5 * 200, 2 * 216)
        assert len(picture.getcolors(1 << 24) or []) > 100
    assert in_protocol("iterm2", b"abc") == "\033]1337;File=inline=1;size=3:YWJj\a"
    kitty = in_protocol("kitty", bytes(9000))
    assert kitty.startswith("\033_Ga=T,f=100,m=1;") and kitty.count("\033_G") == 3 and "m=0;" in kitty
    with pytest.raises(DataError, match="expected two numbers"):
        weights_in("1")
