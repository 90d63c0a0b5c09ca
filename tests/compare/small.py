"""A table of which neither column answers alone, and comparisons on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plait.compare import Comparison, compare
from plait.recipe import Recipe

FAST = {"epochs": 3, "device": "cpu", "precision": "float32", "batch_size": 16, "learning_rate": 0.01}


def frame(rows: int = 90, seed: int = 0) -> pd.DataFrame:
    """Neither the number nor the text answers alone: yes where their signs agree."""
    random = np.random.default_rng(seed)
    size, warm = random.choice([-1.0, 1.0], rows), random.choice(["cold", "warm"], rows)
    answer = np.where((size > 0) == (warm == "warm"), "yes", "no")
    texts = [f"a {word} thing number {number % 5}" for number, word in enumerate(warm)]
    return pd.DataFrame({"size": size, "title": texts, "answer": answer})


def recipe_of(**sections: Any) -> Recipe:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
    base = {"task": [{"target": "answer"}], "inputs": inputs, "train": FAST, "fusion": {"dim": 16}}
    return Recipe.parse({**base, **sections})


def run(folder: Path, table: pd.DataFrame | None = None, **options: Any) -> Comparison:
    options = {"fusions": ["concat", "product"], "folds": 3, "verbose": False, "processes": 1, **options}
    recipe = options.pop("recipe", recipe_of())
    return compare(recipe, frame() if table is None else table, output=folder, **options)
