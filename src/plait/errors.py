"""Errors that a user can act on. Each message says what was expected, what came instead, and what to do.

The command line prints a `PlaitError` as one line and exits with code 2; anything else is a bug in plait and keeps
its traceback.
"""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class PlaitError(Exception):
    """Base of every error that plait raises on a user's mistake."""


class DataError(PlaitError, ValueError):
    """A table, a cell or a file in it can't be used."""


class EmptyValue(DataError):
    """There is a value and nothing in it, such as a video without sound: its row lacks the value, which is no error."""


class DataWarning(UserWarning):
    """A value was read in a way that its owner should know of, such as a recording of which only the start counts."""


class RecipeError(PlaitError, ValueError):
    """A recipe asks for something that does not exist or does not fit."""


class RunError(PlaitError):
    """A run folder or checkpoint can't be read or written."""


class StoreError(RunError):
    """The feature store can't be written; work can go on without it."""


class MissingExtra(PlaitError):
    """An optional dependency is needed and missing."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """`"; did you mean 'gated'?"`, or `""` where nothing is close.

    >>> nearest("gatd", ["concat", "gated"])
    "; did you mean 'gated'?"
    """
    close = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """The message for a name that is not among `choices`.

    >>> unknown("fusion", "gatd", ["concat", "gated"])
    "unknown fusion 'gatd'; did you mean 'gated'? Known: concat, gated"
    """
    choices = list(choices)
    listed = ", ".join(choices[:30]) + (f", … ({len(choices)} in all)" if len(choices) > 30 else "")
    hint = nearest(name, choices)
    return f"unknown {kind} {name!r}{hint or '.'} Known: {listed}"


def import_extra(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which `pip install` line brings it.

    Raises:
        MissingExtra: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{module} is not installed ({error}); run: pip install 'plait[{extra}]'") from error
