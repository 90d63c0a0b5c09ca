"""Contract tests over `FORMATS` and `READERS`: a damaged file is one line, a hidden path stays hidden."""

from pathlib import Path

import pytest

from plait.data.formats import FORMATS
from plait.data.readers import READERS, open_table
from plait.errors import DataError

every_ending = pytest.mark.parametrize("ending", [*FORMATS, *READERS])
BROKEN = {
    "empty": b"",
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "half a JSON": b'[{"image": "a.png", "caption": "a',
    "zeros": b"\0" * 4096,
    "half a character": b"a,b\n\xff\xfe\xfd,1\n",
}


@every_ending
def test_a_file_that_is_absent_is_one_line(ending: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_table(tmp_path / f"nothing{ending}")
    assert "\n" not in str(caught.value) and "nothing" in str(caught.value)


@every_ending
@pytest.mark.parametrize("what", BROKEN)
def test_a_damaged_file_is_one_line_or_a_table(ending: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(BROKEN[what])
    try:
        table = open_table(path)
    except DataError as error:
        assert "\n" not in str(error) and "damaged" in str(error)
    else:
        assert len(table) >= 0 and len(set(table.columns)) == len(table.columns)
