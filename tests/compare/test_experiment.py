"""One experiment: folds, encoders that are frozen, the precision of all."""

from pathlib import Path

import pandas as pd
import pytest

from plait.compare.experiment import Experiment
from plait.data.table import Table
from plait.errors import RecipeError
from plait.recipe import Recipe
from tasks.captions import caption_table


def test_compare_says_that_it_does_not_write(tmp_path: Path) -> None:
    recipe = Recipe.parse({"task": {"type": "generation", "target": "caption"}})
    with pytest.raises(RecipeError, match="chosen, not written"):
        Experiment(recipe, Table.from_frame(pd.read_csv(caption_table(tmp_path, 20)), tmp_path), 2, False)
