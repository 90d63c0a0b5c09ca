"""Call a class with a recipe's options; what it does not take is an error that names what it does."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plait.errors import RecipeError, nearest


def construct(
    where: str,
    name: str,
    make: Callable[..., Any],
    options: Mapping[str, Any],
    used: Sequence[str],
    *arguments: Any,
    **more: Any,
) -> Any:
    """Call a class with a recipe's options; an option that neither it nor its processor (`used`) takes is an error."""
    takes = [key for key in list(inspect.signature(make).parameters)[len(arguments) :] if key not in more]
    for key in options:
        if key not in takes and key not in used:
            known = [*takes, *used]
            raise RecipeError(
                f"{where}: {name} has no option {key!r}{nearest(key, known) or '.'} Known: {', '.join(known)}"
            )
    try:
        return make(*arguments, **{key: value for key, value in options.items() if key in takes}, **more)
    except (
        TypeError,
        ValueError,
        KeyError,
        ArithmeticError,
        RuntimeError,
        MemoryError,
    ) as error:  # torch's own: no room
        first = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise RecipeError(f"{where}: {name} can't be built ({first})") from error
