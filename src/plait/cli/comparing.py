"""The command that compares fusions and modalities."""

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import (
    Decimal,
    Delimiter,
    Group,
    Json,
    OnError,
    Preset,
    Quiet,
    TargetNames,
    TimeLimit,
    Types,
    names_in,
    print_json,
    recipe_of,
    seconds_in,
    with_preset,
)


def compare(
    source: Annotated[Path, typer.Argument(help="A table or a recipe.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Recipe values, such as train.epochs=3.")] = None,
    target: TargetNames = None,
    types: Types = None,
    fusions: Annotated[str | None, typer.Option(help="Only these: concat,low_rank,kernel_product.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each fold; 1, or 3 of --preset best.")] = None,
    rows: Annotated[int | None, typer.Option(min=10, help="Compare on so many rows, drawn at random.")] = None,
    group: Group = None,
    on_error: OnError = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; the same one goes on.")] = None,
    save_best: Annotated[bool, typer.Option("--save-best", help="Leave a run folder of the winner.")] = False,
    preset: Preset = "good",
    time_limit: TimeLimit = None,
    processes: Annotated[int | None, typer.Option(min=1, help="That train at once; by default one a core.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Does the second modality help, and which fusion should it be? plait compare products.csv --target category"""
    from plait.compare import compare
    from plait.errors import RecipeError
    from plait.runs.presets import preset_of

    recipe = recipe_of(source, overrides, target, types, None, None, None, group, on_error, None, delimiter, decimal)
    recipe = with_preset(recipe, preset, source, quiet)
    chosen = preset_of(preset).methods if fusions is None else names_in(fusions)
    if chosen == []:
        raise RecipeError("--fusions: expected names such as concat,low_rank, got none")
    comparison = compare(
        recipe,
        output=output,
        fusions=chosen,
        folds=folds,
        seeds=seeds or preset_of(preset).seeds,
        rows=rows,
        save_best=save_best,
        time_limit=seconds_in(time_limit),
        processes=processes,
        verbose=not quiet,
    )
    if as_json:
        print_json(comparison.to_json())
