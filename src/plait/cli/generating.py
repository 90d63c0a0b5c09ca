"""Write texts with a trained decoder."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import (
    AllowOutside,
    Delimiter,
    Json,
    OnUnusable,
    OnUnusableRow,
    names_in,
    print_json,
    tell_unusable,
)


def generate(
    run: Annotated[Path, typer.Argument(help="A run of generation.")],
    image: Annotated[Path | None, typer.Option(help="The image.")] = None,
    question: Annotated[str | None, typer.Option(help="The question: that column, or the first text.")] = None,
    given: Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE of another input; repeatable.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Ask one question after another.")] = False,
    table: Annotated[Path | None, typer.Option(help="Write about every row of a table instead.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --table: .parquet, .csv or .jsonl.")
    ] = None,
    keep: Annotated[list[str] | None, typer.Option(help="With --table: column to copy; may be repeated.")] = None,
    beams: Annotated[int | None, typer.Option(min=1, help="Hypotheses that are followed at once.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Above 0: draw, the higher the wilder.")] = None,
    top_k: Annotated[int | None, typer.Option(min=0, help="Draw from the likeliest so many.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw from the likeliest with this share.")] = None,
    max_length: Annotated[int | None, typer.Option(min=1, help="Tokens at most.")] = None,
    best: Annotated[int | None, typer.Option(min=1, help="So many texts, best first.")] = None,
    choices: Annotated[str | None, typer.Option(help="Choose from these: red,green,blue")] = None,
    seed: Annotated[int | None, typer.Option(help="Of drawing.")] = None,
    on_error: OnUnusableRow = OnUnusable.refuse,
    delimiter: Delimiter = None,
    allow_outside: AllowOutside = False,
    as_json: Json = False,
) -> None:
    """Write about an image, a question, a row: plait generate RUN --image photo.jpg --question "what is it?" """
    from plait.console import printable
    from plait.errors import DataError
    from plait.inference.generate import Writer
    from plait.modalities import IMAGE
    from plait.predictor import Predictor

    # Options of tables without a table would have no effect, so they are refused.
    of_tables = {"--output": output, "--keep": keep, "--delimiter": delimiter}
    if table is None and (any(of_tables.values()) or on_error is not OnUnusable.refuse):
        typed = next((name for name, value in of_tables.items() if value), "--on-error")
        raise DataError(f"{typed} belongs to --table; leave it out, or name a table")
    options = {"beams": beams, "temperature": temperature, "top_k": top_k, "top_p": top_p, "max_length": max_length}
    options |= {"best": best, "seed": seed}
    changes = {name: value for name, value in options.items() if value is not None}  # over the run's settings
    if best is not None and beams is None and not temperature:
        changes["beams"] = best
    writer = Writer(
        Predictor.load(run, allow_outside=allow_outside), names_in(choices) if choices is not None else None, **changes
    )
    if table is not None:
        _write_table(writer, table, output, keep or [], as_json, on_error, delimiter)
        return
    # One row, from the options; or a conversation about it.
    values: dict[str, Any] = {}
    if image is not None:
        values[writer.first(IMAGE.name)] = str(image)
    if question is not None:
        values[writer.asked] = question
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise DataError(f"--set {pair}: expected COLUMN=VALUE")
        values[name] = value
    if chat:
        _chat(writer, values)
        return
    if not values:
        names = ", ".join(writer.inputs)
        raise DataError(f"about what? Give --image, --question, --set COLUMN=VALUE or --table; the run reads {names}")
    # A single text is printed while it is written.
    stream = not as_json and writer.settings.best == 1
    written = writer.write(values, _say if stream else None)
    if as_json:
        print_json([{"text": text, "score": score} for text, score in written])
    elif stream:
        typer.echo()
    else:
        for text, score in written:
            typer.echo(f"{score:.2f}\t{printable(text)}")


def merge(
    run: Annotated[Path, typer.Argument(help="A run of generation with decoder.tune=lora or ia3.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the merged run.")],
) -> None:
    """Make a language model's adapters part of its weights: plait merge RUN -o MERGED"""
    from plait.inference.merge import merge_run

    typer.echo(f"merged: {merge_run(run, output)}", err=True)


def _say(piece: str) -> None:
    from plait.console import printable

    sys.stdout.write(printable(piece))
    sys.stdout.flush()


def _chat(writer: Any, values: dict[str, Any]) -> None:
    """Questions from the terminal, until an empty one; a run that reads `history` is told what was said before."""
    from plait.console import printable
    from plait.errors import DataError
    from plait.inference.generate import HISTORY

    column, history = writer.asked, [values[HISTORY]] if values.get(HISTORY) else []
    typer.echo("Ask; an empty line ends.", err=True)
    for line in sys.stdin:
        question = line.strip()
        if not question:
            return
        before = {HISTORY: "\n".join(history)} if history and HISTORY in writer.inputs else {}
        try:
            written = writer.write({**values, **before, column: question}, _say)
            history.append(f"{question} {written[0][0]}.")
        except DataError as error:
            typer.echo(f"plait: {printable(str(error))}", err=True)
        typer.echo()


def _write_table(
    writer: Any,
    table: Path,
    output: Path | None,
    keep: list[str],
    as_json: bool,
    on_error: OnUnusable,
    delimiter: str | None,
) -> None:
    from plait.inference.predict import write_frames

    problems: list[str] = []
    frames_of = partial(writer.write_frames, problems=problems, on_error=on_error.value)
    count = write_frames(frames_of, table, output, keep, as_json, delimiter)
    tell_unusable(problems, on_error)
    if output is not None:
        typer.echo(f"{count:,} rows: {output}", err=True)
