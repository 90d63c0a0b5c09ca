"""`plait check`: a recipe's tables, split as training would split them, looked at and shown."""

import numpy as np

from plait import console
from plait.build.plugins import load_for
from plait.build.tasks import task_with
from plait.checks.health import Health, check
from plait.data.table import Table
from plait.errors import DataError, nearest
from plait.recipe import Recipe
from plait.runs import prepare
from plait.runs.split import split_rows
from plait.runs.tables import open_parts


def check_recipe(recipe: Recipe) -> Health:
    """Check the tables of a recipe.

    Raises:
        DataError: a table can't be read at all, or a column that was named does not exist.
    """
    load_for(recipe)
    table, val, test = open_parts(recipe)
    for target in recipe.targets:
        if target not in table:
            raise DataError(f"{table.source}: there is no column {target!r}{nearest(target, table.columns)}")
    schema = prepare.type_columns(recipe, table)
    if task_with(recipe, "pairs") is not None:
        recipe = prepare.with_inputs(recipe, schema)
    parts = _parts(recipe, table, val, test)
    return check(
        parts, schema, recipe.targets, recipe.data.group, recipe.data.allow_outside, prepare.workers_of(recipe) + 1
    )


def _parts(recipe: Recipe, table: Table, val: Table | None, test: Table | None) -> dict[str, tuple[Table, np.ndarray]]:
    ungrouped = recipe.updated({"data": {"group": None}}) if recipe.data.split is not None else recipe
    rows = split_rows(ungrouped, table, val is not None, test is not None)  # a straddling group is a finding
    parts = {name: (table, chosen) for name, chosen in rows.items()}
    for name, other in (("val", val), ("test", test)):
        if other is not None:
            parts[name] = (other, np.arange(len(other)))
    return parts


def show_health(health: Health) -> None:
    """Print what was found."""
    rows = [(c["name"], c["modality"], c["reason"], c["missing"], c["distinct"]) for c in health.columns]
    console.say("rows: " + ", ".join(f"{count:,} {name}" for name, count in health.rows.items()))
    columns = ["column", "type", "because", "missing", "distinct"]
    console.show(console.table("", columns, rows[:60], columns[3:]))
    if len(rows) > 60:
        console.say(f"… and {len(rows) - 60:,} more columns; --json lists all")
    for target, counts in health.balance.items():
        class_counts = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:12])
        console.say(f"{target}: {class_counts}{', …' if len(counts) > 12 else ''}")
    for finding in health.findings:
        console.say(f"{finding.level}: {finding.message}")
        for example in finding.examples:
            console.say(f"    {example}")
    if not health.findings:
        console.say("nothing found that would go wrong")
