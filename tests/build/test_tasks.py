"""What a recipe's task section may hold: each task's own options, and nothing else."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait.build.tasks import build_targets, check_tasks, options_for, options_of, readers_of, roles_of, split_group
from plait.data.table import Table
from plait.errors import PlaitError, RecipeError
from plait.recipe import Recipe
from plait.tasks import TASKS

BOTH = {"photo": {"modality": "image"}, "title": {"modality": "text"}, "price": {"modality": "number"}}


def recipe_of(task: Any, **more: Any) -> Recipe:
    return Recipe.parse({"inputs": BOTH, "task": task, **more})


@pytest.mark.parametrize("kind", TASKS)
def test_every_option_has_a_default_that_is_in_bounds_and_a_reader(kind: str) -> None:
    recipe = recipe_of({"type": kind, "target": "y"} if TASKS[kind].usual_name is None else {"type": kind})
    check_tasks(recipe)
    assert options_for(recipe.task[0], kind) == options_of(kind)
    assert all(kind in readers_of(name) for name in options_of(kind))
    assert set(TASKS[kind].column_options) <= set(options_of(kind))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"targett": "x"}, "unknown key 'task.targett'; did you mean 'target'"),
        ({"target": "y", "type": "regresion"}, "task.type: unknown task 'regresion'; did you mean 'regression'"),
        ({"target": "y", "type": "classification", "top_classes": 1}, "task.top_classes: .*greater than or equal to 2"),
        ({"target": "y", "type": "classification", "class_weights": "even"}, "task.class_weights: expected 'none' or"),
        ({"type": "regression"}, "task.target is missing"),
        ([{"target": "y"}, {"type": "matching"}], "matching is a run's only task"),
        ([{"target": "y"}, {"target": "y"}], "'y' is a target twice"),
        ({"type": "retrieval", "loss": "cosine"}, "task.loss: expected 'info_nce', 'sigmoid' or 'triplet'"),
    ],
)
def test_mistakes_are_one_line(task: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        check_tasks(recipe_of(task))
    assert "\n" not in str(caught.value)


def test_what_a_task_makes_of_columns() -> None:
    asked = {"type": "generation", "target": "caption", "references": "others"}
    assert roles_of(recipe_of(asked)) == {"caption": "the target", "others": "right answers"}
    assert split_group(recipe_of(asked)) == "photo" and split_group(recipe_of({"target": "y"})) is None
    assert split_group(recipe_of({"type": "retrieval"})) == "photo"
    assert split_group(recipe_of({"type": "matching", "anchor": "title"})) == "title"


@pytest.mark.parametrize(
    ("cells", "kind", "reason"),
    [
        (["a;b", "c", "d|e", "a"] * 5, "multilabel", "labels with"),
        (["07", "11", "12"] * 5, "classification", "3 distinct codes"),
        ([1, 2, 3] * 10, "classification", "3 distinct whole numbers"),
        ([n / 3 for n in range(30)], "regression", "its cells are numbers, 30 distinct"),
        (pd.Categorical([n / 3 for n in range(30)]), "classification", "its type is category"),
        (pd.to_timedelta(range(30), unit="s"), "regression", "taken as seconds"),
        ([True, False] * 10, "classification", "it is true or false"),
        ([["a"], ["b", "a"]] * 10, "multilabel", "its cells are lists"),
    ],
)
def test_the_kind_is_recognised_with_its_reason(cells: Any, kind: str, reason: str) -> None:
    table = Table.from_frame(pd.DataFrame({"y": cells, "price": range(len(cells))}))
    recipe = Recipe.parse({"inputs": {"price": {"modality": "number"}}, "task": {"target": "y"}})
    targets, reasons = build_targets(recipe, table, np.arange(len(table)))
    assert targets.tasks["y"].kind == kind and reason in reasons["y"]


def test_a_target_that_says_nothing_is_refused_whatever_its_type() -> None:
    table = Table.from_frame(pd.DataFrame({"y": ["a"] * 5, "price": range(5)}))
    for type_ in (None, "classification", "multilabel"):
        recipe = Recipe.parse({"inputs": {"price": {"modality": "number"}}, "task": {"target": "y", "type": type_}})
        with pytest.raises(PlaitError, match="constant"):
            build_targets(recipe, table, np.arange(5))
