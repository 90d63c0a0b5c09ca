"""Templates, and images within a page."""

import base64
import io

import jinja2
import pytest
from PIL import Image

from plait.modalities import Shown
from plait.report.page import SIDE, render, thumbnail


def test_what_a_table_holds_is_never_markup() -> None:
    assert render("cell.html", value="<script>x</script> & co").strip() == "&lt;script&gt;x&lt;/script&gt; &amp; co"
    with pytest.raises(jinja2.UndefinedError):
        render("cell.html")


@pytest.mark.parametrize(("side", "kind"), [(SIDE, "jpeg"), (SIDE - 1, "png")])
def test_small_images_are_kept_without_loss(side: int, kind: str) -> None:
    address = thumbnail(Shown("a.png", Image.new("RGB", (side, 4), (10, 200, 30))))
    assert address is not None and address.startswith(f"data:image/{kind};base64,")
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    assert image.size == (side, 4) and image.format == kind.upper()
    assert image.convert("RGB").getpixel((0, 0)) == (
        (10, 200, 30) if kind == "png" else pytest.approx((10, 200, 30), abs=6)
    )


def test_what_has_no_image_has_no_thumbnail() -> None:
    assert thumbnail(Shown("some words")) is None
