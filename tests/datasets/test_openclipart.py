"""Clip art is described by its drawing."""

from pathlib import Path

import pandas as pd

from fakes import picture
from plait.datasets.openclipart import write_openclipart


def _drawing(title: str, words: list[str]) -> str:
    listed = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
    described = f"<dc:title>{title}</dc:title><dc:subject><rdf:Bag>{listed}</rdf:Bag></dc:subject>"
    return f"<svg><metadata><rdf:RDF>{described}<dc:publisher><dc:title>Open Clip Art Library</dc:title></dc:publisher></rdf:RDF></metadata><path d='M0'/></svg>"


def test_clip_art_is_described_by_its_drawing(tmp_path: Path) -> None:
    for name, text in {
        "animals/birds/owl": _drawing("An owl &amp; a mouse", ["bird", "night; dark"]),
        "animals/silent": "<svg></svg>",
        "shapes/stars/star": _drawing("gramastar", ["star"]),
        "computer/icons/flat-theme/x": _drawing("icon", []),
    }.items():
        for kind, ending in (("png", "png"), ("svg", "svg")):
            path = tmp_path / kind / f"{name}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        picture(tmp_path / "png" / f"{name}.png", "red")
    frame = pd.read_csv(write_openclipart(tmp_path / "out", tmp_path / "png", tmp_path / "svg")[0])
    assert frame.to_dict("records") == [
        {
            "picture": "pictures/animals/birds/owl.png",
            "title": "An owl & a mouse",
            "keywords": "bird;night, dark",
            "kind": "animals",
            "group": "animals/birds",
        }
    ]
    assert (tmp_path / "out" / "pictures" / "animals" / "birds" / "owl.png").exists()
