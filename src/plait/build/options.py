"""Call a class with a recipe's options; an unknown option or a wrong value is an error that says what is allowed."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from plait.errors import RecipeError, nearest

MOST = 1_000_000  # of any count: a width, a vocabulary, pixels of a side
LAYERS = 256
PIXELS = 1_000_000_000  # of a whole image
SOME = (  # counts that must be 1 at least; all others, such as layers, may be 0
    *("heads", "width", "widths", "bottlenecks", "latents", "rank", "factors", "chunks", "sketch", "depths", "dim"),
    *("kernels", "channels", "vocab_size", "max_length", "expansion", "by", "text_length", "prefix_length", "size"),
    *("bins", "max_categories", "max_pixels", "context_length"),
)
SHARES = ("dropout", "smoothing", "share")  # endings of options from 0 up to, not including, 1


def construct(
    where: str,
    name: str,
    make: Callable[..., Any],
    options: Mapping[str, Any],
    used: Sequence[str],
    *arguments: Any,
    **more: Any,
) -> Any:
    """Call a class with a recipe's options; an option that neither it nor its processor (`used`) takes is an error.

    Raises:
        RecipeError: an option is unknown, of another type, or out of range.
    """
    takes = [key for key in list(inspect.signature(make).parameters)[len(arguments) :] if key not in more]
    for key in options:
        if key not in takes and key not in used:
            choices = [*takes, *used]
            raise RecipeError(
                f"{where}: {name} has no option {key!r}{nearest(key, choices) or '.'} Known: {', '.join(choices)}"
            )
    values = checked_options(where, make, {key: value for key, value in options.items() if key in takes})
    try:
        return make(*arguments, **values, **more)
    except (TypeError, ValueError, KeyError, ArithmeticError, MemoryError, RuntimeError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0][:300]  # torch's messages have many lines
        raise RecipeError(f"{where}: {name} can't be built ({first})") from error


def checked_options(where: str, make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options, converted to the types that a function's parameters have, and within bounds.

    Raises:
        RecipeError: one is of another type, or out of range.

    >>> def make(heads: int = 4, dropout: float = 0.1): ...
    >>> checked_options("fusion", make, {"dropout": 0})
    {'dropout': 0.0}
    >>> checked_options("fusion", make, {"heads": 0})
    Traceback (most recent call last):
        ...
    plait.errors.RecipeError: fusion.heads: expected a whole number from 1 to 1,000,000, got 0
    """
    hints = _hints(make)
    return {key: _checked(f"{where}.{key}", key, hints.get(key, Any), value) for key, value in options.items()}


def _checked(path: str, name: str, hint: Any, value: Any) -> Any:
    try:
        value = TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True)).validate_python(
            value
        )
    except ValidationError as error:
        wanted = error.errors()[0]["msg"].removeprefix("Input should be ").split(", unable to parse")[0]
        raise RecipeError(f"{path}: expected {wanted}, got {value!r}"[:300]) from error
    low, high = int(name in SOME), {"layers": LAYERS, "max_pixels": PIXELS}.get(name, MOST)
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, int) and not isinstance(one, bool) and not low <= one <= high:
            raise RecipeError(f"{path}: expected a whole number from {low} to {high:,}, got {one}")
    if isinstance(value, float) and name.endswith(SHARES) and not 0 <= value < 1:
        raise RecipeError(f"{path}: expected a share from 0 up to, not including, 1, got {value:g}")
    return value


@functools.cache
def _hints(make: Any) -> dict[str, Any]:
    """The types of a class's or function's options; of a partial, those of the function that it calls."""
    while isinstance(make, functools.partial):
        make = make.func
    try:
        return get_type_hints(make.__init__ if inspect.isclass(make) else make, include_extras=True)
    except (NameError, TypeError):  # a type that is imported for type checkers only
        return {}
