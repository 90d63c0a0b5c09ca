"""`plait compare` from nothing to its report: 1,000 rows of an image, a text and ten numbers, five folds.

Images and questions are easy-VQA's, features of the packaged encoders are computed on the way, and the store that
keeps them is empty.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import Row, row
from plait.datasets import get_dataset

ROWS, NUMBERS, FOLDS = 1000, 10, 5
TWENTY = (
    "concat,sum,weighted_sum,product,gated,film,self_attention,co_attention,mult,bottleneck,tensor,low_rank,mlb,mutan,"
    "mfb,block,compact_bilinear,perceiver,late_stacking,boosted"
)


def run() -> list[Row]:
    """Seconds of twenty methods and of everything that compare knows, beside each modality and pair alone."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        table = make_table(Path(folder))
        for label, options in (("20 methods", ["--fusions", TWENTY]), ("all methods", [])):
            found = _compare(table, Path(folder) / label, options)
            count = len(found["rows"])
            rows.append(row(f"compare: {label}, {count} models, {FOLDS} folds", found["seconds"], "s", "", None))
    return rows


def make_table(folder: Path) -> Path:
    """1,000 questions, one an image; every third number is the answer's, blurred, and the others are noise."""
    train, _ = get_dataset("easy-vqa", folder / "data")
    frame = pd.read_csv(train)
    frame = frame.drop_duplicates("image").sort_values("image").head(ROWS).reset_index(drop=True)
    frame["image"] = [f"data/{name}" for name in frame["image"]]
    random = np.random.default_rng(0)
    codes = frame["answer"].astype("category").cat.codes.to_numpy()
    for number in range(NUMBERS):
        signal = codes if number % 3 == 0 else 0
        frame[f"number_{number}"] = signal + random.normal(scale=4, size=len(frame))
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    return path


def _compare(table: Path, output: Path, options: list[str]) -> dict:
    command = [sys.executable, "-m", "plait", "compare", str(table), "--target", "answer", "--folds", str(FOLDS)]
    environment = {**os.environ, "PLAIT_CACHE": str(output / "cache")}
    subprocess.run([*command, "-o", str(output), *options], check=True, env=environment)
    found: dict = json.loads((output / "comparison.json").read_text())
    return found
