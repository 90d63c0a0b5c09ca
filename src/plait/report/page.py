"""Templates → one HTML file."""

import base64
import io
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from plait.console import number
from plait.modalities import Shown

SIDE = 160  # pixels of an image's longer side


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


def as_cell(shown: Shown, side: int = SIDE) -> dict[str, str | None]:
    """A value for `value.html`: its words, its image and its sound as `data:` addresses, None where it has none."""
    sound = None if shown.play is None else f"data:{shown.kind};base64,{base64.b64encode(shown.play()).decode()}"
    return {"picture": thumbnail(shown, side), "sound": sound, "text": shown.text}


def thumbnail(shown: Shown, side: int = SIDE) -> str | None:
    """The image of a value as a `data:` address; None where it has none."""
    picture = shown.image
    if picture is None:
        return None
    small = max(picture.size) < side
    buffer = io.BytesIO()
    kind = "PNG" if small else "JPEG"
    picture.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
