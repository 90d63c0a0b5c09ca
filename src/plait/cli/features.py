"""Commands of the feature store."""

from typing import Annotated

import typer

from plait.cli.options import Json, print_json

features = typer.Typer(help="Stored outputs of frozen encoders: list, verify, prune.", no_args_is_help=True)


@features.command("list")
def features_list(as_json: Json = False) -> None:
    """Which encoders' outputs are stored, how many rows, when they were last used."""
    from plait.features.listing import describe_stores, show_stores

    stores = describe_stores()
    if as_json:
        print_json(stores)
    else:
        show_stores(stores)


@features.command("verify")
def features_verify(as_json: Json = False) -> None:
    """Read every stored row and check it; exit code 1 where one is damaged (it is computed again when needed)."""
    from plait.features.listing import verify_stores

    damaged = verify_stores()
    if as_json:
        print_json(damaged)
    else:
        for name, count in damaged.items():
            typer.echo(f"{name}: {count:,} damaged rows" if count else f"{name}: sound")
    if any(damaged.values()):
        raise typer.Exit(1)


@features.command("prune")
def features_prune(
    name: Annotated[str | None, typer.Argument(help="One store, as the list names it; else all that are old.")] = None,
    days: Annotated[float, typer.Option(min=0, help="Remove what was not used for so many days.")] = 90,
    as_json: Json = False,
) -> None:
    """Remove stored features that nobody used for a while, and damaged stores."""
    from plait.features.listing import prune_stores

    removed = prune_stores(name, days)
    if as_json:
        print_json(removed)
    else:
        typer.echo(f"removed {len(removed)} stores, {sum(row['bytes'] for row in removed) / 1e6:,.1f} MB", err=True)
