"""Commands of search: index a table, ask the index."""

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.options import AllowOutside, Json, Quiet, print_json


def index(
    run: Annotated[Path, typer.Argument(help="A run of retrieval, hf:NAME or open_clip:MODEL/WEIGHTS.")],
    table: Annotated[Path, typer.Argument(help="The rows to find.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The index; the same one takes new rows.")],
    side: Annotated[str | None, typer.Option(help="The run's input to embed; by default its anchor.")] = None,
    allow_outside: AllowOutside = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a table searchable: plait index runs/pairs products.csv -o index.lance"""
    from dataclasses import asdict

    from plait.search.indexing import describe, index_table

    indexed = index_table(str(run), table, output, side, verbose=not quiet, allow_outside=allow_outside)
    if as_json:
        print_json(asdict(indexed))
    else:
        typer.echo(describe(indexed, output))


def search(
    index: Annotated[Path, typer.Argument(help="What plait index made.")],
    words: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    image: Annotated[Path | None, typer.Option(help="An image to look for; with words both count.")] = None,
    audio: Annotated[Path | None, typer.Option(help="A sound to look for; with words both count.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many.")] = 20,
    where: Annotated[str | None, typer.Option(help="Only rows such as: price < 20 and kind = 'birds'")] = None,
    mode: Annotated[str, typer.Option(help="meaning (vectors), words (full text) or both.")] = "meaning",
    weights: Annotated[str, typer.Option(help="Of words and file where both are given.")] = "1,1",
    rerank: Annotated[Path | None, typer.Option(help="A matching run that puts what is found in order.")] = None,
    run: Annotated[Path | None, typer.Option(help="Where the model is now, if it was moved.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet of what is found: found.png")] = None,
    web: Annotated[bool, typer.Option("--web", help="Open a page instead.")] = False,
    host: Annotated[str, typer.Option(help="With --web: who may connect; by default this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --web.")] = 8000,
    as_json: Json = False,
) -> None:
    """Find rows by words, by an image, by a sound, or several: plait search index.lance "a red bird" """
    from plait.errors import DataError
    from plait.search import Query, Searcher
    from plait.search.showing import show_hits, weights_in, write_sheet

    searcher = Searcher(index, None if run is None else str(run))
    if web:
        from plait.serving.search_app import serve_search

        serve_search(searcher, index.name, host, port)
        return
    if mode not in ("meaning", "words", "both"):
        raise DataError(f"--mode {mode}: expected meaning, words or both")
    query = Query(words, image, audio, None, weights_in(weights), where, mode)  # type: ignore[arg-type]
    hits = searcher.search(query, k)
    if rerank is not None:
        from plait.predictor import Predictor

        hits = searcher.rerank(hits, query, Predictor.load(rerank))
    if sheet is not None:
        write_sheet(sheet, hits)
    if as_json:
        print_json([hit.to_json() for hit in hits])
    else:
        show_hits(hits, searcher.index)
