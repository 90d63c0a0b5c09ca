"""Questions about images, which neither the question nor the image answers alone."""

import json
from pathlib import Path

from plait.datasets.packages import copy_files, write_table
from plait.encoders.packaged import package_folder
from plait.errors import MissingExtra


def write_easy_vqa(folder: Path) -> list[Path]:
    """Easy-VQA (MIT, 4,000 + 1,000 images, 48,248 questions) as `train.csv` and `test.csv` with their images.

    Raises:
        MissingExtra: the package `easy-vqa` is not installed.
    """
    try:
        data = package_folder("easy_vqa") / "data"
    except MissingExtra as error:
        raise MissingExtra("easy-vqa is not installed; run: pip install 'plait[demo]'") from error
    tables = []
    for split in ("train", "test"):
        questions = json.loads((data / split / "questions.json").read_text(encoding="utf-8"))
        rows = [(f"{split}/{number}.png", question, answer) for question, answer, number in questions]
        copy_files([(path, folder / split / path.name) for path in (data / split / "images").glob("*.png")])
        tables.append(write_table(folder / f"{split}.csv", rows, ["image", "question", "answer"]))
    return tables
