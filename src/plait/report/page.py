"""Templates → one HTML file."""

import base64
import io
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from plait.console import number
from plait.errors import DataError
from plait.processors.image import small_picture


def render(template: str, **values: Any) -> str:
    """Fill a template of this folder; everything but `Markup` is escaped.

    >>> "&lt;b&gt;" in render("cell.html", value="<b>")
    True
    """
    environment = Environment(
        loader=PackageLoader("plait", "report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["svg"] = Markup  # our own plots, whose texts matplotlib escaped
    style = resources.files("plait.report").joinpath("style.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, **values)


def thumbnail(value: Path | bytes, side: int = 160) -> str | None:
    """A picture as a `data:` address; None where it can't be shown."""
    try:
        picture = small_picture(value, side)
    except DataError:
        return None
    small = max(picture.size) < side
    buffer = io.BytesIO()
    kind = "PNG" if small else "JPEG"
    picture.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
