"""Dialogs about drawn scenes, in which a later question is about what was said before."""

import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

from plait.datasets.packages import write_table
from plait.files.atomic import replacing

SIDE = 48  # pixels
SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (240, 200, 40)}
PLACES = ("top left", "top right", "bottom left", "bottom right")
BESIDE = {
    "top left": "top right",
    "top right": "top left",
    "bottom left": "bottom right",
    "bottom right": "bottom left",
}
NUMBERS = ("one", "two", "three", "four")
SPLITS = {"train": 4000, "test": 400}  # images

Scene = dict[str, tuple[str, str]]  # place → colour and shape


def write_scenes(folder: Path, seed: int = 0, images: dict[str, int] | None = None) -> list[Path]:
    """`train.csv` and `test.csv`: image, history, question, answer, turn, three turns an image, drawn by plait.

    An image holds four things, each in its corner. The first question asks what colour is in a corner, the second
    "and the one beside it?", the third "how many have that colour?": which thing is meant, and which colour, nothing
    but the history says, and the third needs the answer before.

    Args:
        folder: where to.
        seed: of the drawing; a scene of the training part never comes in the test part.
        images: how many of each part; None for 4,000 and 400.
    """
    source = random.Random(seed)
    drawn: set[tuple[tuple[str, tuple[str, str]], ...]] = set()
    tables = []
    for split, count in (images or SPLITS).items():
        rows = []
        for number in range(count):
            scene = _scene(source)
            while tuple(scene.items()) in drawn:
                scene = _scene(source)
            drawn.add(tuple(scene.items()))
            name = f"{split}/{number}.png"
            with replacing(folder / name, tidy=False) as beside:
                _draw(scene, source).save(beside, "PNG")
            rows += [(name, *turn) for turn in _dialog(scene, source)]
        tables.append(write_table(folder / f"{split}.csv", rows, ["image", "history", "question", "answer", "turn"]))
    return tables


def _scene(source: random.Random) -> Scene:
    shapes = source.sample(SHAPES, len(PLACES))
    return {place: (source.choice(list(COLOURS)), shape) for place, shape in zip(PLACES, shapes, strict=True)}


def _dialog(scene: Scene, source: random.Random) -> Iterator[tuple[str | None, str, str, int]]:
    """History, question, answer and turn."""
    place = source.choice(PLACES)
    colour, other = scene[place][0], scene[BESIDE[place]][0]
    count = sum(one == other for one, _ in scene.values())
    turns = [
        (f"what colour is the thing at the {place}?", colour),
        ("and the one beside it?", other),
        ("how many have that colour?", NUMBERS[count - 1]),
    ]
    history: list[str] = []
    for turn, (question, answer) in enumerate(turns, 1):
        yield "\n".join(history) or None, question, answer, turn
        history.append(f"{question} {answer}.")


def _draw(scene: Scene, source: random.Random) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    half = SIDE // 2
    for place, (colour, shape) in scene.items():
        size = source.randint(12, 18)
        left = (half if "right" in place else 0) + source.randint(2, half - size - 2)
        top = (half if "bottom" in place else 0) + source.randint(2, half - size - 2)
        box = (left, top, left + size, top + size)
        if shape == "circle":
            pen.ellipse(box, fill=COLOURS[colour])
        elif shape == "square":
            pen.rectangle(box, fill=COLOURS[colour])
        elif shape == "cross":
            third = size // 3
            pen.rectangle((left + third, top, left + size - third, top + size), fill=COLOURS[colour])
            pen.rectangle((left, top + third, left + size, top + size - third), fill=COLOURS[colour])
        else:
            corners = [(left + size // 2, top), (left, top + size), (left + size, top + size)]
            pen.polygon(corners, fill=COLOURS[colour])
    return image
