"""What the commands share: options, the recipe of a command line, JSON."""

import functools
import inspect
import json
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class OnUnusable(StrEnum):
    """What becomes of a cell that can't be used."""

    refuse = "refuse"
    skip = "skip"
    missing = "missing"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the run.")]
TargetNames = Annotated[list[str] | None, typer.Option("--target", "-t", help="Column to predict; may be repeated.")]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="classification, multilabel, regression, generation, matching or retrieval; else what the target asks.",
    ),
]
Types = Annotated[list[str] | None, typer.Option("--type", help="COLUMN=TYPE, over what plait sees; may be repeated.")]
Val = Annotated[str | None, typer.Option(help="Share of the rows, or a file, to validate on.")]
Test = Annotated[str | None, typer.Option(help="Share of the rows, or a file, to test on.")]
Split = Annotated[str | None, typer.Option(help="Column that says train, val or test.")]
AllowOutside = Annotated[bool, typer.Option("--allow-outside", help="Media paths may leave the table's folder.")]
Group = Annotated[str | None, typer.Option(help="Column whose equal cells never sit on both sides.")]
OnError = Annotated[
    OnUnusable | None,
    typer.Option(help="Cells that can't be used: refuse them, skip their rows, or count them as missing."),
]
OnUnusableRow = Annotated[
    OnUnusable,
    typer.Option(help="Cells that can't be used: refuse them, skip their rows (no answer), or count them as missing."),
]
Delimiter = Annotated[str | None, typer.Option(help="What cuts the lines of a CSV file, such as ';' or tab.")]
Decimal = Annotated[str | None, typer.Option(help="What stands before the fraction of numbers: . or ,")]
Preset = Annotated[
    str,
    typer.Option(metavar="NAME", help="What is spent where you leave settings open: fast, good, best; plain: nothing."),
]
TimeLimit = Annotated[
    str | None, typer.Option(help="Such as 90s, 10m or 1h30m: training is brought to its end by then.", metavar="TIME")
]
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="A module with parts of your own (docs/extending.md); may be repeated."),
]


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `--plugin MODULE`, whose parts are there before anything else happens."""

    @functools.wraps(command)
    def run(*, plugin: list[str] | None = None, **arguments: Any) -> None:
        if plugin:
            from plait.build.plugins import load

            for name in plugin:
                load(name)
        command(**arguments)

    signature = inspect.signature(command)
    option = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugins)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "plugin": Plugins}
    return run


def recipe_of(
    source: Path,
    overrides: list[str] | None,
    targets: list[str] | None,
    types: list[str] | None,
    val: str | None,
    test: str | None,
    split: str | None,
    group: str | None,
    on_error: OnUnusable | None,
    task: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Any:
    """A recipe from a file or a table, with what the command line says on top."""
    from plait.recipe import Recipe, apply_overrides

    # What the command line says of tables and columns goes into the section `data`.
    values: dict[str, Any] = {}
    is_recipe = source.suffix.lower() in (".yaml", ".yml")
    data_options = {
        "val": _share(val),
        "test": _share(test),
        "split": split,
        "group": group,
        "on_error": on_error and on_error.value,
    }
    data_options |= {"delimiter": delimiter, "decimal": decimal}
    data: dict[str, Any] = {key: value for key, value in data_options.items() if value is not None}
    if types:
        data["types"] = dict(_pair(text, "--type") for text in types)
    if not is_recipe:
        data["train"] = str(source)
    if targets:
        values["task"] = [{"target": name, **({"type": task} if task else {})} for name in targets]
    elif task:
        values["task"] = [{"type": task}]
    if data:
        values["data"] = data
    # The file's recipe is the base, and the command line wins; `data` is merged key by key.
    if is_recipe:
        base = Recipe.read(source)
        if base.plugins:
            from plait.build.plugins import load_for

            load_for(base, source)
        base_values = base.model_dump(mode="json", exclude_defaults=True)
        base_values.pop("resolved", None)
        values = {**base_values, **values, "data": {**base_values.get("data", {}), **data}}
    return Recipe.parse(apply_overrides(values, overrides or []), str(source))


def tell_unusable(problems: list[str], on_error: OnUnusable) -> None:
    """Name the cells that could not be used, on stderr."""
    from plait.console import printable

    outcome = "no answer" if on_error is OnUnusable.skip else "counted as missing"
    for problem in problems:
        typer.echo(printable(f"{outcome}: {problem}"), err=True)


def seconds_in(text: str | None, option: str = "--time-limit") -> float | None:
    """`1h30m`, `10m`, `90s` or `90` → seconds.

    Raises:
        RecipeError: it is no time.

    >>> seconds_in("1h30m"), seconds_in("90"), seconds_in(None)
    (5400.0, 90.0, None)
    """
    from plait.errors import RecipeError

    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip())
    seconds = (
        0.0 if match is None else sum(int(n or 0) * u for n, u in zip(match.groups(), UNITS.values(), strict=True))
    )
    if seconds <= 0:
        raise RecipeError(f"{option} {text}: expected a time such as 90s, 10m or 1h30m")
    return seconds


def with_preset(recipe: Any, preset: str, source: Path, quiet: bool) -> Any:
    """The recipe with a preset's values where it is silent; they are named on stderr.

    A run's own recipe is whole: what it does not say has its default.
    """
    from plait.files.reading import read_yaml
    from plait.runs.presets import apply_preset, preset_of

    preset_of(preset)
    if source.suffix.lower() in (".yaml", ".yml") and "plait_format" in read_yaml(source):
        return recipe
    recipe, lines = apply_preset(recipe, preset)
    for line in lines if not quiet else ():
        typer.echo(f"{preset}: {line}", err=True)
    return recipe


def names_in(text: str | None) -> list[str]:
    """`a, b` → both names."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _share(text: str | None) -> float | str | None:
    """`0.1` is a share, anything else a file."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _pair(text: str, option: str) -> tuple[str, str]:
    from plait.errors import RecipeError

    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise RecipeError(f"{option} {text}: expected COLUMN=VALUE")
    return name, value


def print_json(value: Any) -> None:
    """A result for machines, on stdout."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=float))
