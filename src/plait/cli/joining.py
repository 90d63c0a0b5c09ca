"""The command that makes one table of rows and their series."""

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import Delimiter, names_in, seconds_in


def join(
    rows: Annotated[Path, typer.Argument(help="A table with a row each.")],
    steps: Annotated[Path, typer.Argument(help="A long table with a row each step: id, time, channels.")],
    series: Annotated[str, typer.Option(metavar="ID,TIME", help="Column of both tables, and when a step was.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write, a .parquet file.")],
    channels: Annotated[str | None, typer.Option(help="Columns of numbers to keep, such as pulse,oxygen; all.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the new column; the long table's name.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Column of ROWS with a moment: no step after it is in the row's series.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(help="With --before: only so long before it, such as 90s or 24h.", metavar="TIME")
    ] = None,
    delimiter: Delimiter = None,
) -> None:
    """Put each row's steps of a long table beside it: plait join patients.csv pulse.csv --series patient,time"""
    import pyarrow.parquet as pq

    from plait.console import printable
    from plait.data.joining import join_series
    from plait.data.readers import open_table
    from plait.errors import DataError
    from plait.files.atomic import replacing

    columns = names_in(series)
    if len(columns) != 2:
        raise DataError(f"--series {series}: expected two columns, ID,TIME, such as patient,time")
    if output.suffix != ".parquet":
        raise DataError(f"{output}: expected a name that ends with .parquet")
    tables = open_table(rows, delimiter), open_table(steps, delimiter)
    joined = join_series(
        *tables,
        id=columns[0],
        time=columns[1],
        channels=names_in(channels) or None,
        name=name or steps.stem,
        before=before,
        last=seconds_in(last, "--last"),
    )
    for line in joined.describe():
        typer.echo(printable(line), err=True)
    root = joined.table.root
    if root is not None and root.resolve() != output.expanduser().parent.resolve():
        typer.echo(
            f"note: cells that name files are relative to {printable(str(root))}; write the table there", err=True
        )
    with replacing(output.expanduser()) as temporary:
        pq.write_table(joined.table.data, temporary)
    typer.echo(str(output))
