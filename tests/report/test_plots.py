"""Plots as inline SVG: what is written in them, and nothing that a page would fetch."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest

from plait.report import plots

SCORES = {"one": (0.5, 0.4, 0.6, "single"), "all": (0.7, 0.65, 0.75, "fusion")}
DRAWN: dict[str, tuple[Callable[[], str], list[str]]] = {
    "lines": (lambda: plots.lines({"p": [(1, 2.0), (2, 3.0)], "q": []}, "epoch", "loss"), ["epoch", "loss", "p", "q"]),
    "levels": (lambda: plots.levels({"p": [0.9, 0.4]}, ["0", "0.5"], "accuracy", (0, 1)), ["0.5", "accuracy", "p"]),
    "confusion": (lambda: plots.confusion(np.array([[1234, 0], [2, 1]]), ["yes", "n" * 20]), ["1,234", "2", "yes", "n" * 17 + "…"]),
    "reliability": (lambda: plots.reliability(np.array([0.5, 0.9]), np.array([0.4, 0.8]), np.array([3, 9])), ["share that is right"]),
    "scatter": (lambda: plots.scatter(np.arange(9.0), np.arange(9.0)), ["true", "predicted"]),
    "histogram": (lambda: plots.histogram(np.full(30, 0.1) + 1e-17, "error"), ["error", "rows"]),
    "bars": (lambda: plots.bars({"red": 0.25, "blue": 0.5}, "F1"), ["red", "0.250", "0.500", "F1"]),
    "intervals": (lambda: plots.intervals(SCORES, "accuracy", ("one alone", 0.5)), ["one", "all", "single", "one alone", "accuracy"]),
    "cost": (lambda: plots.cost({"one": (3.0, 0.5, "single")}, "seconds", "accuracy", ["one"]), ["one", "seconds", "single"]),
    "knowledge": (lambda: plots.knowledge({"a": 0.5, "b": 0.2}, 0.6, 1.0, "bits"), ["a 0.50", "b 0.20", "together 0.60", "bits"]),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_one_svg_in_the_pages_colours_that_asks_for_nothing(name: str) -> None:
    draw, words = DRAWN[name]
    svg = draw()
    assert ET.fromstring(svg).tag.endswith("svg") and svg.startswith("<svg")
    texts = set(re.findall(r"<text[^>]*>([^<]+)</text>", svg))
    assert set(words) <= texts, set(words) - texts
    assert "currentColor" in svg and plots.INK not in svg
    links = set(re.findall(r"https?://[^\"'\s]+", svg))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert draw() == svg  # the same plot is the same bytes


def test_names_are_escaped() -> None:
    assert "<b>" not in plots.bars({"<b>": 1.0}, "x") and "&lt;b&gt;" in plots.bars({"<b>": 1.0}, "x")


def test_a_count_of_none_is_left_empty_and_many_classes_have_no_counts() -> None:
    assert ">0<" not in plots.confusion(np.eye(2) * 5, ["a", "b"])
    assert ">77<" not in plots.confusion(np.eye(17) * 77, range(17)) and ">77<" in plots.confusion(
        np.eye(16) * 77, range(16)
    )
