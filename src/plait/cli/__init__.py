"""The commands. Each is a thin call of one function; heavy imports wait until a command runs."""

import signal
import sys
import threading
import warnings
from typing import Any, NoReturn

import typer

from plait.cli.checking import check
from plait.cli.comparing import compare
from plait.cli.datasets import datasets
from plait.cli.features import features
from plait.cli.generating import generate, merge
from plait.cli.joining import join
from plait.cli.options import with_plugins
from plait.cli.runs import evaluate, predict, train
from plait.cli.searching import index, search
from plait.cli.tools import demo, doctor
from plait.errors import DataWarning, PlaitError

SHOW = warnings.showwarning
app = typer.Typer(
    name="plait",
    help="Train, evaluate and use one model of many modalities: text, images, sounds, numbers and categories.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (train, compare, check, join, evaluate, predict, generate, merge, index, search, doctor, demo):
    app.command()(with_plugins(command))
app.add_typer(features, name="features")
app.add_typer(datasets, name="datasets")


def _warn(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """What a user should know of their data, as one line; other warnings as Python shows them."""
    if issubclass(category, DataWarning):
        from plait.console import printable

        sys.stderr.write(f"note: {printable(str(message))}\n")
    else:
        SHOW(message, category, *place, **more)


def _interrupted() -> NoReturn:
    sys.stderr.write("plait: interrupted before there was anything to save\n")
    sys.exit(130)


def main() -> NoReturn:
    """Run a command; a user's mistake is one line on stderr and exit code 2."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is a Ctrl-C
    warnings.showwarning = _warn
    try:
        app()
    except PlaitError as error:
        from plait.console import printable

        kind = type(error).__name__
        sys.stderr.write(f"plait: {printable(' '.join(str(error).split()))}\n")
        sys.exit(130 if kind == "Interrupted" else 2)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if stop.code == 130:  # typer turned Ctrl-C into a silent exit
            _interrupted()
        raise
    sys.exit(0)
