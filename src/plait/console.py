"""What people see in the terminal or a notebook: messages, progress bars and tables. Programs read `--json` instead."""

import html
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

# Control characters except tab and line feed, marks that change the direction of writing, halves of surrogate pairs.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
EVERY = 1.0  # seconds between two lines about epochs that were not validated
stderr = Console(stderr=True, highlight=False)


def printable(text: str) -> str:
    """A text from a file, safe to print: characters that move the cursor, turn the writing or ring are spelt out.

    >>> printable("red\\x1b[2J \\u202egnp.exe\\n")
    'red\\\\x1b[2J \\\\u202egnp.exe\\n'
    """
    return UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], text)


def say(text: str) -> None:
    """Print a message on stderr, so that stdout holds results only."""
    stderr.print(printable(text), markup=False, soft_wrap=True)


@cache
def say_once(text: str) -> None:
    """Print a message, once per process."""
    say(text)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[str] = ()) -> Table:
    """A table to print; `right` names the columns to align on the right, which hold numbers."""
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    numbers = set(right)
    for place, name in enumerate(columns):
        justify: Any = "right" if name in numbers else "left"
        grid.add_column(_cell(name), justify=justify, overflow="fold", no_wrap=place == 0)
    for row in rows:
        grid.add_row(*[_cell(value) for value in row])
    return grid


def show(rendered: Table) -> None:
    """Print a table on stderr."""
    stderr.print(rendered)


def as_html(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    right: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> str:
    """A table as a notebook shows it, with a line above and others below; every text is escaped.

    >>> as_html("scores", ["name", "accuracy"], [("<b>", 0.98765)], ["accuracy"]).count("&lt;b&gt;")
    1
    """
    numbers = set(right)

    def line(tag: str, cells: Sequence[Any]) -> str:
        styles = ["right" if name in numbers else "left" for name in columns]
        made = zip(styles, cells, strict=True)
        return (
            "<tr>"
            + "".join(f'<{tag} style="text-align:{s}">{html.escape(_text(c))}</{tag}>' for s, c in made)
            + "</tr>"
        )

    body = "".join(line("td", row) for row in rows)
    below = "".join(f"<p>{html.escape(printable(note))}</p>" for note in notes)
    above = f"<p><b>{html.escape(printable(title))}</b></p>" if title else ""
    return f"<div>{above}<table><thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>{below}</div>"


def number(value: float) -> str:
    """A number as people read it.

    >>> number(0.98765), number(1234567.0), number(3)
    ('0.988', '1,234,567', '3')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def _text(value: Any) -> str:
    return printable(number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value))


def _cell(value: Any) -> str:
    return _text(value).replace("[", "\\[")


class ProgressListener:
    """Shows training as one live progress bar, and a line for each epoch.

    Args:
        epochs: how many there are at most; None where nobody knows.
        label: what is trained.
        quiet: show nothing.
    """

    def __init__(self, epochs: int | None, label: str = "", quiet: bool = False) -> None:
        self.of = "" if epochs is None else f"/{epochs}"
        self.epochs = epochs
        self.shown = -1.0
        self.label = label
        self.live = not quiet and (stderr.is_terminal or "ipykernel" in sys.modules)
        self.quiet = quiet
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=stderr,
            transient=True,
        )
        self.task = self.bar.add_task(label, total=None, loss="…")

    def __enter__(self) -> "ProgressListener":
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.bar.stop()

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None:
        self.bar.update(
            self.task,
            description=f"{self.label} epoch {epoch + 1}{self.of}",
            total=None if self.epochs is None else steps * self.epochs,
            completed=epoch * steps + step,
            loss=f"{loss:.4f}",
        )

    def epoch(self, record: Mapping[str, Any], best: bool) -> None:
        now = time.monotonic()
        if self.quiet or ("val" not in record and now - self.shown < EVERY):  # a line for each of short epochs is noise
            return
        self.shown = now
        scores = "  ".join(f"{name} {number(value)}" for name, value in list(record.get("val", {}).items())[:3])
        mark = " *" if best and scores else ""
        say(
            f"{self.label} epoch {record['epoch']:>3}{self.of}  loss {record['loss']:.4f}  "
            f"{scores}{mark}  {record['train_seconds']:.1f} s"
        )


class Board:
    """Shows scores of several models as they come in: a live table on a terminal, else a line each.

    Args:
        metric: the name of the score.
        verbose: show anything at all.
    """

    def __init__(self, metric: str, verbose: bool) -> None:
        self.metric, self.verbose = metric, verbose
        self.rows: dict[str, tuple[str, str, str]] = {}
        self.live = Live(console=stderr, auto_refresh=False) if verbose and stderr.is_terminal else None

    def __enter__(self) -> "Board":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live is not None:
            self.live.stop()

    def scored(self, name: str, kind: str, score: float, done: int, total: int) -> None:
        """Show the mean score of a model's finished runs."""
        self._show(name, (kind, f"{score:.3f}", f"{done} of {total}"), done == total)

    def stopped(self, name: str, kind: str, reason: str) -> None:
        """Show that a model is not trained on the other folds."""
        self._show(name, (kind, self.rows.get(name, ("", "", ""))[1], f"stopped: {reason}"), True)

    def failed(self, name: str, kind: str, reason: str) -> None:
        """Show that a model failed and has no score."""
        self._show(name, (kind, "failed", reason), True)

    def _show(self, name: str, row: tuple[str, str, str], complete: bool) -> None:
        self.rows[name] = row
        if self.live is not None:
            cells = [(name, *row) for name, row in self.rows.items()]
            self.live.update(table("", ["model", "kind", self.metric, "runs"], cells, [self.metric]), refresh=True)
        elif self.verbose and complete:
            kind, score, runs = row
            say(f"{name} ({kind}): {self.metric} {score}, {runs}")
