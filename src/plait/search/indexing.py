"""A table into an index: embedded through the frozen-feature engine, resumable, new rows only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from plait import console
from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.data.table import Table
from plait.errors import DataError, RunError, unknown
from plait.files.atomic import claimed, sweep
from plait.inference.zero_shot import as_side, load_aligned
from plait.modalities import Media
from plait.predictor import Predictor, TableLike
from plait.search.index import META, Index, as_rows, is_begun, parts_of, row_keys
from plait.training.interrupt import StopRequest
from plait.training.loop import Interrupted


@dataclass(frozen=True)
class Indexed:
    """What indexing did.

    Args:
        rows: in the index now.
        added: of them new.
        known: that were there already, or came twice.
        without: that lack what is searched.
        left_out: columns of the table that the index, which an earlier table began, does not have.
        lacking: columns of the index that the table does not have; empty in its rows.
    """

    rows: int
    added: int
    known: int
    without: int
    left_out: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def index_table(
    run: str | Path,
    table: TableLike,
    output: str | Path,
    side: str | None = None,
    verbose: bool = True,
    allow_outside: bool = False,
) -> Indexed:
    """Embed a table's rows and add to an index those that it does not hold yet.

    Args:
        run: a retrieval run, or a pretrained model (`hf:NAME`, `open_clip:MODEL/WEIGHTS`).
        table: the rows.
        output: the index, made where it is missing; the same command again goes on where it stopped.
        side: the run's input that is embedded; None for its anchor.
        verbose: say what is done.
        allow_outside: image paths may leave the table's folder.

    Raises:
        DataError: the table lacks what is embedded.
        RunError: the run or the index can't be used, or another model made its vectors.
    """
    predictor = load_aligned(run, verbose=False, allow_outside=allow_outside)
    opened, path = open_table(table), Path(output).expanduser()
    # Locked from the first look at the index to the last write: two commands at once would add each row twice.
    with claimed(path, partial(is_begun, path), waiting=console.say), _stoppable(path):
        return _add(predictor, str(run), opened, path, side, allow_outside, verbose)


def _add(
    predictor: Predictor, run: str, opened: Table, path: Path, side: str | None, allow_outside: bool, verbose: bool
) -> Indexed:
    """Add to an index that no other process writes to."""
    existing = Index(path) if (path / META).exists() else None
    if existing is not None and existing.table is None:
        existing = None  # its first write was killed: what it says of columns and side may be another table's
    if existing is not None:
        sweep(path)
        existing.require_model(predictor, run)
        if side not in (None, existing.meta["side"]):
            raise RunError(f"{path}: holds vectors of {existing.meta['side']}, not of {side}; choose another with -o")
        side = existing.meta["side"]
    side = side or str(predictor.targets_.pairs.anchor)
    if side not in predictor.inputs_:
        raise DataError(f"--side: {unknown('input', side, predictor.inputs_)}")
    source = as_side(predictor, side, opened)
    schema = infer_schema(opened)
    left_out: list[str] = []
    lacking: list[str] = []
    # An index keeps the columns that its first table gave.
    if existing is not None:
        index = existing
        left_out = [name for name in opened.columns if name not in index.columns]
        lacking = [name for name in index.columns if name not in opened]
    else:
        named = run if run.startswith(("hf:", "open_clip:")) else str(Path(run).resolve())
        index = Index.create(path, predictor, named, side, schema)
    index.set_root(opened.root)
    media = Media(opened.root, allow_outside)
    known_keys, added, skipped, without = index.keys(), 0, 0, 0
    before = len(known_keys)
    with StopRequest() as stop, _bar(verbose) as bar:
        task = bar.add_task(path.name, total=len(opened))
        for rows in parts_of(len(opened)):
            keys = row_keys(opened, rows, schema, media)
            fresh = []
            for i, key in enumerate(keys):  # a row may come twice in one part, too
                if key not in known_keys:
                    known_keys.add(key)
                    fresh.append(i)
            skipped += len(rows) - len(fresh)
            if fresh:
                chosen = rows[fresh]
                embedded = predictor.embed(source.take(chosen))
                assert isinstance(embedded, dict)
                # A row without what is searched has no vector, and is counted but not added.
                has_vector = ~np.isnan(embedded[side]).any(axis=1)
                without += int((~has_vector).sum())
                new_keys = [keys[i] for i, has in zip(fresh, has_vector, strict=True) if has]
                if new_keys:
                    index.add(
                        as_rows(opened, chosen[has_vector], new_keys, embedded[side][has_vector], index, schema, media)
                    )
                added += len(new_keys)
            bar.update(task, completed=int(rows[-1]) + 1)
            if stop.asked:
                raise Interrupted(f"stopped after {before + added:,} rows; the same command goes on")
    if index.table is None:
        raise DataError(f"{opened.source}: no row has a {side}; there is nothing to index")
    if added or not index.indexed:
        index.build_indices(verbose)
    return Indexed(len(index), added, skipped, without, tuple(left_out), tuple(lacking))


@contextmanager
def _stoppable(path: Path) -> Iterator[None]:
    """Where there are rows already, Ctrl-C ends with a line about how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if not is_begun(path):
            raise
        raise Interrupted(f"stopped; {path} holds what was added, and the same command goes on") from None


def _bar(verbose: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *columns, console=console.stderr, transient=True, disable=not (verbose and console.stderr.is_terminal)
    )


def describe(counts: Indexed, path: str | Path) -> str:
    """One line about it.

    >>> describe(Indexed(12, 10, 2, 0), "a.lance")
    'a.lance: 12 rows, 10 added, 2 there already'
    """
    without = f", {counts.without:,} without what is searched are left out" if counts.without else ""
    parts = [f"{path}: {counts.rows:,} rows, {counts.added:,} added, {counts.known:,} there already{without}"]
    if counts.left_out:
        parts.append(f"not in the index, whose columns its first table gave: {', '.join(counts.left_out)}")
    if counts.lacking:
        parts.append(f"not in this table, so empty in its rows: {', '.join(counts.lacking)}")
    return "; ".join(parts)


def model_of(index: Index, run: str | Path | None = None) -> Predictor:
    """The model that made an index's vectors: at the given place, else where it was then.

    Raises:
        RunError: there is none there, or it is another.
    """
    named = str(run or index.meta["run"])
    predictor = load_aligned(named)
    index.require_model(predictor, named)
    return predictor
