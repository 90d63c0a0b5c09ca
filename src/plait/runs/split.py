"""Which rows of the training table are for training, validation and test."""

from collections.abc import Mapping

import numpy as np

from plait.build.tasks import split_group, task_class
from plait.data.moments import moments
from plait.data.splits import holdout, latest, split_column
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.recipe import Recipe
from plait.runs.tables import NO_VAL


def split_rows(recipe: Recipe, table: Table, has_val: bool, has_test: bool) -> dict[str, np.ndarray]:
    """Row numbers of each part that comes from the training table.

    Raises:
        DataError: too few rows, a wrong word in the split column, or a group on both sides of a given split.
    """
    data, rest = recipe.data, np.arange(len(table))
    group = split_group(recipe) if data.group is None else data.group
    if data.time is not None and data.group is not None:
        raise RecipeError("data.time and data.group both say how rows are split; leave one of them out")
    groups = table.codes(group)[0] if group is not None and data.time is None else None
    when = None if data.time is None else moments(table, data.time)
    labels = _strata(recipe, table)
    parts: dict[str, np.ndarray] = {}
    if data.split is not None:
        parts = split_column(table, data.split)
        if "train" not in parts:
            raise DataError(f"column {data.split!r} marks no row as train")
        _check_groups(parts, None if data.group is None else groups, group, table)
        rest = parts.pop("train")
    # Test rows are drawn first, so that they are the same ones with and without validation.
    for name, has_table in (("test", has_test), ("val", has_val)):
        share = getattr(data, name)
        if name == "val" and share == NO_VAL:
            continue
        if name == "val" and share is None and not has_table and name not in parts:
            share = 0.1
        if isinstance(share, float) and not has_table and name not in parts and when is not None:
            rest, parts[name] = latest(rest, share, when[rest])
        elif isinstance(share, float) and not has_table and name not in parts:
            picked = (None if labels is None else labels[rest], None if groups is None else groups[rest])
            rest, parts[name] = holdout(rest, share, *picked, seed=recipe.train.seed)
    return {"train": rest, **parts}


def _strata(recipe: Recipe, table: Table) -> np.ndarray | None:
    """Codes of the first target, where it is a category that the split can be stratified by; else None."""
    if not recipe.task:  # a check before anything is chosen
        return None
    task = recipe.task[0]
    if task.target is None or task.target not in table:
        return None
    task_type = task_class(task)
    if not recipe.data.stratify or (task_type is not None and not task_type.stratified):
        return None
    codes, values = table.codes(task.target)
    return codes if len(values) <= max(20, len(table) // 10) else None


def group_codes(recipe: Recipe, table: Table, rows: np.ndarray) -> np.ndarray | None:
    """`[N]` codes of rows that stay together, as `data.group` says; None where it names no column of the table."""
    group = recipe.data.group
    return table.codes(group)[0][rows] if group is not None and group in table else None


def _check_groups(parts: Mapping[str, np.ndarray], groups: np.ndarray | None, name: str | None, table: Table) -> None:
    """Refuse a split column that puts rows of one group into two parts."""
    if groups is None:
        return
    seen: dict[int, str] = {}
    for part, rows in parts.items():
        for code in np.unique(groups[rows]).tolist():
            if seen.setdefault(code, part) != part and code >= 0:
                row = int(rows[groups[rows] == code][0]) + 1
                cell = str(table.cells(str(name), [row - 1])[0])[:60]
                raise DataError(
                    f"{table.source}: row {row}: group {cell!r} of column {name!r} is "
                    f"in both {seen[code]} and {part}; correct the split column, or drop data.group"
                )
