"""Commands beside runs: doctor, demo."""

from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import Json, Quiet, print_json


def doctor(as_json: Json = False) -> None:
    """Versions, devices, number formats, extras, network."""
    from plait import console
    from plait.checks.doctor import examine

    facts = examine()
    if as_json:
        print_json(facts)
        return
    rows = [(key, flat(value)) for key, value in facts.items()]
    console.show(console.table("", ["", "here"], rows))


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, runs and report.")] = Path("demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the questions.")] = 6,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer questions about images: from the question, from the image, from both."""
    from plait.cli.demo import run_demo

    accuracy = run_demo(output, epochs, seed, verbose=not quiet)
    if as_json:
        print_json(accuracy)


def flat(value: Any) -> str:
    """A value of `plait doctor` in one line."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {'yes' if item is True else 'no' if item is False else item}" for key, item in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
