"""Images: read once, named in messages."""

from pathlib import Path

import pytest
from PIL import Image

from fakes import picture
from plait.errors import DataError
from plait.modalities import MODALITIES, Media

# Images, from files.


def test_an_image_is_read_once_and_named_in_messages(tmp_path: Path) -> None:
    image, media = MODALITIES["image"], Media(tmp_path)
    picture(tmp_path / "a.png", "red")
    one = image.open("a.png", media)
    assert one.name == "a.png" and one.content == (tmp_path / "a.png").read_bytes()
    assert image.key(one) == image.key(image.open(one.content + b"", media))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(DataError, match=str(tmp_path / "broken.png")):
        image.look(image.open("broken.png", media))
    assert image.show(image.open("broken.png", media), 32).image is None
    for piece in ("../a.png", "b.png", 5):
        with pytest.raises(DataError):
            image.open(piece, media)
    Image.new("RGB", (6001, 2)).save(tmp_path / "long.png")
    odd = image.look(image.open("long.png", media)).odd
    assert odd is not None and (odd.kind, odd.detail) == ("huge_picture", "6001 px")
