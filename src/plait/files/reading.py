"""Files that a stranger may have written, read within bounds: plain files, JSON of the kind that is expected, YAML that
does not expand. Whatever is wrong with one is a line about it; nothing in it is ever executed.
"""

import functools
import inspect
import os
import stat
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic_core import from_json

from plait.errors import DataError, PlaitError, RecipeError, RunError

MOST_BYTES = 1 << 28  # of a JSON file of a run: a vocabulary of millions of words fits
MOST_MEDIA = 256_000_000  # of an image, a sound, a video
MOST_YAML = 1 << 20  # bytes of a recipe
MOST_NODES, DEEPEST = 100_000, 50  # values of a recipe with its aliases spelt out, and how deep they lie
MOST_BITS = 64  # of a whole number of a recipe

Made = TypeVar("Made")


def open_plain(path: Path | str, error: type[PlaitError] = DataError) -> BinaryIO:
    """A file, open for reading; a folder, a pipe or a device is refused and never waited for.

    Raises:
        PlaitError: it is missing, can't be read, or is no plain file; of the kind `error`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as problem:
        raise error(f"{path}: there is no such file") from problem
    except (OSError, ValueError) as problem:  # ValueError: a null character in the name
        raise error(f"{path}: the file can't be read ({_why(problem)})") from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise error(f"{path}: expected a file, got a folder, a pipe or a device")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path | str, error: type[PlaitError] = DataError, most: int = MOST_BYTES) -> bytes:
    """What a plain file holds.

    Raises:
        PlaitError: it can't be read, or holds more than `most` bytes.
    """
    try:
        with open_plain(path, error) as file:
            data = file.read(most + 1)
    except OSError as problem:
        raise error(f"{path}: the file can't be read ({_why(problem)})") from problem
    if len(data) > most:
        raise error(f"{path}: expected at most {most:,} bytes, the file holds more")
    return data


def parse_json(data: bytes | str, source: object, error: type[PlaitError] = DataError) -> Any:
    """JSON → Python. Half characters (`"\\ud800"`), nesting of more than 200 levels and other traps are refused.

    Raises:
        PlaitError: it is no JSON.

    >>> parse_json('{"a": [1, NaN]}', "a.json")
    {'a': [1, nan]}
    """
    try:
        return from_json(data)
    except ValueError as problem:
        raise error(f"{source}: not JSON ({str(problem)[:120]})") from problem


def checked(value: Any, kind: Any, source: object, error: type[PlaitError] = DataError, strict: bool = False) -> Any:
    """A value of the kind that is expected: a type, a `TypedDict`, a dataclass.

    Args:
        value: as JSON gave it.
        kind: what it should be.
        source: whose it is, for the message.
        error: raised where it is something else.
        strict: no text counts as a number, no 1 as true.

    Raises:
        PlaitError: it is something else; the message names the first place.

    >>> checked([{"id": 1}], list[dict[str, int]], "a.json")
    [{'id': 1}]
    """
    try:
        return _adapter(kind).validate_python(value, strict=strict)
    except ValidationError as problem:
        raise error(f"{source}: {_first(problem)}") from problem


def read_json(path: Path, kind: Any = Any, error: type[PlaitError] = RunError, most: int = MOST_BYTES) -> Any:
    """A JSON file that holds what is expected.

    Raises:
        PlaitError: it can't be read, is no JSON, or holds something else.
    """
    return checked(parse_json(read_bytes(path, error, most), path, error), kind, path, error)


def made_of(make: Callable[..., Made], values: Mapping[str, Any], source: object) -> Made:
    """Call a class or function with values from a run's JSON, checked against its annotations.

    Raises:
        RunError: a value is missing, unknown, or of another kind than the constructor takes.

    >>> def repeated(word: str, times: int = 2) -> str:
    ...     return word * times
    >>> made_of(repeated, {"word": "ab"}, "a.json")
    'abab'
    >>> made_of(repeated, {"word": "ab", "times": "x"}, "a.json")
    Traceback (most recent call last):
    ...
    plait.errors.RunError: a.json: times: expected a valid integer, got 'x'
    """
    names = [name for name, one in inspect.signature(make).parameters.items() if one.kind is not one.VAR_KEYWORD]
    strange = [name for name in values if name not in names]
    if strange:
        raise RunError(f"{source}: {strange[0]} is not known here")
    try:
        _arguments(make).model_validate(dict(values), strict=True)
        return make(**values)
    except ValidationError as problem:
        raise RunError(f"{source}: {_first(problem)}") from problem
    except (PlaitError, ValueError, KeyError) as problem:  # what a constructor says of values that do not go together
        raise RunError(f"{source}: {problem or type(problem).__name__}") from problem


def read_yaml(path: Path, error: type[PlaitError] = RecipeError) -> Any:
    """A YAML file of plain values.

    Raises:
        PlaitError: it can't be read or is no YAML within bounds.
    """
    return parse_yaml(read_bytes(path, error, MOST_YAML), path, error)


def parse_yaml(text: bytes | str, source: object, error: type[PlaitError] = RecipeError) -> Any:
    """YAML → plain values. Tags that make objects, deep nesting, and aliases that expand to a flood are refused.

    Raises:
        PlaitError: it is no YAML, or goes beyond the bounds.

    >>> parse_yaml("{epochs: 3, widths: [8, 16]}", "a.yaml")
    {'epochs': 3, 'widths': [8, 16]}
    """
    try:
        loader = _Bounded(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # ValueError: no such date, text of another coding
        raise error(f"{source}: not YAML ({' '.join(str(problem).split())[:300]})") from problem


class _Bounded(yaml.SafeLoader):
    """Counts values as if every alias were spelt out, before any of them is made."""

    def __init__(self, text: bytes | str) -> None:
        super().__init__(text)
        self.nodes, self.depth = 0, 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.AliasEvent)  # counts as much as what it stands for
        before = self.nodes
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError(f"values lie more than {DEEPEST} levels deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and id(node) not in self.sizes:
            raise yaml.YAMLError("an alias stands within what it stands for")
        self.nodes += self.sizes[id(node)] if alias else 1
        if self.nodes > MOST_NODES:
            raise yaml.YAMLError(f"more than {MOST_NODES:,} values, aliases spelt out")
        if not alias:
            self.sizes[id(node)] = self.nodes - before
        return node


def _whole(loader: _Bounded, node: Any) -> int:
    number = yaml.SafeLoader.construct_yaml_int(loader, node)
    if number.bit_length() > MOST_BITS:
        raise yaml.YAMLError(f"{str(node.value)[:30]}… is a whole number of more than {MOST_BITS} bits")
    return int(number)


_Bounded.add_constructor("tag:yaml.org,2002:int", _whole)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@functools.cache
def _arguments(make: Callable[..., Any]) -> Any:
    """A pydantic model of what a constructor takes."""
    annotated: Any = vars(make).get("__init__", make) if isinstance(make, type) else make
    hints = typing.get_type_hints(annotated, include_extras=True)
    fields = {
        name: (hints.get(name, Any), ... if one.default is one.empty else one.default)
        for name, one in inspect.signature(make).parameters.items()
        if one.kind is not one.VAR_KEYWORD
    }
    config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())
    return create_model("Arguments", __config__=config, **fields)  # type: ignore[call-overload]


def _first(problem: ValidationError) -> str:
    """The first thing that is wrong, in a line."""
    first = problem.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if not (isinstance(part, str) and "[" in part))
    if first["type"] == "missing":
        return f"{where} is missing"
    what = first["msg"].removeprefix("Input should be ").split(", unable to parse")[0]
    return f"{where + ': ' if where else ''}expected {what}, got {repr(first['input'])[:60]}"


def _why(problem: Exception) -> str:
    return str(getattr(problem, "strerror", None) or problem)
