"""The command that looks at a table before training: check."""

from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import (
    Decimal,
    Delimiter,
    Group,
    Json,
    Split,
    TargetNames,
    TaskName,
    Test,
    Types,
    Val,
    print_json,
    recipe_of,
    with_preset,
)
from plait.errors import RecipeError


def check(
    source: Annotated[Path, typer.Argument(help="A table or a recipe.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values.")] = None,
    target: TargetNames = None,
    task: TaskName = None,
    types: Types = None,
    val: Val = None,
    test: Test = None,
    split: Split = None,
    group: Group = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    labels: Annotated[
        str | None, typer.Option(help="Rows whose label is probably wrong, by auto, linear or kernel_sum.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --labels: a page with those rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what would go wrong in training; exit code 1 where something would."""
    from plait.checks.tables import check_recipe, show_health

    recipe = recipe_of(source, overrides, target, types, val, test, split, group, None, task, delimiter, decimal)
    if output is not None and labels is None:
        raise RecipeError("-o is a page of labels; say --labels auto too")
    health = check_recipe(recipe)
    found: dict[str, Any] = health.to_json()
    if not as_json:
        show_health(health)
    if labels is not None:
        from plait.compare.labels import find_labels, show_labels
        from plait.data.readers import open_table
        from plait.recipe import FusionRecipe

        # No network trains, so of the preset only the encoders count.
        closed = recipe.model_copy(update={"fusion": FusionRecipe(method="linear")})
        table = open_table(str(recipe.data.train), recipe.data.delimiter)
        report = find_labels(with_preset(closed, "fast", source, as_json), table, labels, 5, output, not as_json)
        found["labels"] = report.to_json()
        if not as_json:
            show_labels(report, output)
    if as_json:
        print_json(found)
    if not health.ok:
        raise typer.Exit(1)
