"""Rows that belong together are noticed, and what that does to a score is measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compare.small import FAST, recipe_of, run
from plait.compare.experiment import Experiment
from plait.compare.grouping import likely_groups
from plait.data.readers import open_table


def leaking(rows: int = 120) -> pd.DataFrame:
    """Each person's rows look alike and share an answer that has nothing to do with anything else."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(rows // 6), 6)
    answer = random.integers(0, 2, rows // 6)[person]
    size, weight = (random.normal(size=rows // 6)[person] + 0.01 * random.normal(size=rows) for _ in range(2))
    titles = [f"word{number} thing" for number in person]
    columns = {"size": size, "weight": weight, "title": titles, "person_id": person, "answer": answer}
    return pd.DataFrame(columns)


def recipe():
    inputs = {"size": {"modality": "number"}, "weight": {"modality": "number"}}
    inputs["title"] = {"modality": "text", "encoder": "scratch:bag", "frozen": True}
    return recipe_of(inputs=inputs, train={**FAST, "epochs": 15})


def test_a_column_of_persons_is_a_likely_group_and_a_row_number_is_not() -> None:
    table = leaking()
    table["session"] = np.arange(len(table))  # one row each
    table["group"] = "all"  # one for all
    found = likely_groups(Experiment(recipe(), open_table(table), 3, False))
    assert list(found) == ["person_id"]


@pytest.mark.slow
def test_the_fall_by_group_stands_beside_the_verdict(tmp_path: Path) -> None:
    found = run(tmp_path / "c", leaking(), recipe=recipe(), fusions=["concat"])
    drop = found.group_drop
    assert drop is not None and drop.group == "person_id" and drop.name == "concat"
    assert drop.random > drop.grouped + 0.15
    page = (tmp_path / "c" / "report.html").read_text()
    assert "rows may belong together by person_id" in page and "Folds are of random rows" in page
    data = {"group": "person_id"}
    grouped = run(
        tmp_path / "g",
        leaking(),
        recipe=recipe().model_copy(update={"data": recipe().data.model_copy(update=data)}),
        fusions=["concat"],
    )
    assert grouped.group_drop is None and grouped.splits == "whole groups of person_id"
    assert grouped.rows[0].score == pytest.approx(0.5, abs=0.3)
