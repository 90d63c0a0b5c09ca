"""The tables that a run reads: those that a recipe names, or that a user passes."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait import console
from plait.data.batches import Cache, InputSpec, TableSource
from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import DataError, unknown
from plait.processors import WordsProcessor
from plait.recipe import Recipe
from plait.tasks import Targets

NO_VAL = "none"  # data.val: no row is kept for validation


def open_given(recipe: Recipe, given: Mapping[str, Any]) -> tuple[Recipe, tuple[Table, Table | None, Table | None]]:
    """The tables of a fit, those given or else those that the recipe names; and the recipe, which then names them all.

    Args:
        recipe: may name files.
        given: train, val, test → a file, a frame, a Table or None.

    Raises:
        DataError: there is no training table, or one is missing or damaged.
    """
    files = {key: getattr(recipe.data, key) if value is None else value for key, value in given.items()}
    # Absolute paths, so that the run's recipe can be used from any folder.
    paths = {k: str(v) for k, v in files.items() if isinstance(v, str | Path) and _names_table(k, v)}
    named = {k: v if v.startswith("hf:") else str(Path(v).expanduser().resolve()) for k, v in paths.items()}
    if files["train"] is None:
        raise DataError("which table? Give one to fit(), or set data.train in the recipe")
    opened = {k: open_table(v, recipe.data.delimiter) for k, v in files.items() if _names_table(k, v)}
    recipe = recipe.updated({"data": named}) if named else recipe
    return recipe, (opened["train"], opened.get("val"), opened.get("test"))


def _names_table(part: str, value: Any) -> bool:
    """Whether a setting is a table or a file, and not a share of the rows or `none`."""
    is_none = part == "val" and isinstance(value, str) and value == NO_VAL
    return value is not None and not isinstance(value, float) and not is_none


def open_parts(recipe: Recipe) -> tuple[Table, Table | None, Table | None]:
    """The tables that a recipe names: train, val, test.

    Raises:
        DataError: one is missing or damaged.
    """
    if recipe.data.train is None:
        raise DataError("the recipe names no training table; set data.train")
    names = (recipe.data.val, recipe.data.test)
    mark = recipe.data.delimiter
    val, test = (open_table(name, mark) if isinstance(name, str) and name != NO_VAL else None for name in names)
    return open_table(recipe.data.train, mark), val, test


def make_source(
    recipe: Recipe,
    table: Table,
    inputs: Mapping[str, InputSpec],
    targets: Targets | None,
    cache: Cache | None = None,
    problems: list[str] | None = None,
    lenient: bool = False,
) -> TableSource:
    """A table as a source of batches, with targets where the table has them. For `problems` see `TableSource`.

    If `lenient`, a target cell that can't be read counts as empty.

    Raises:
        DataError: a text has places for more or fewer values than its row has.
    """
    check_places(table, inputs)
    encoded = {} if targets is None else targets.encode(table, lenient)
    return TableSource(table, inputs, encoded, recipe.data.allow_outside, cache, problems)


def check_places(table: Table, inputs: Mapping[str, InputSpec]) -> None:
    """Refuse rows whose texts have places (`<image>`) for more or fewer values than the row has.

    Raises:
        DataError: with the row and both numbers.
    """
    texts = [s for s in inputs.values() if isinstance(s.processor, WordsProcessor) and s.columns[0] in table]
    if not texts:
        return
    for row, cells in enumerate(zip(*(table.iterate(spec.columns[0]) for spec in texts), strict=True)):
        marked: Counter[str] = Counter()
        for spec, cell in zip(texts, cells, strict=True):
            if isinstance(cell, str) and "<" in cell:
                marked.update(spec.processor.places_in(cell))  # type: ignore[attr-defined]
        for name, count in marked.items():
            column = inputs[name].columns[0]
            modality = inputs[name].kind
            cell = table.cells(column, [row])[0] if column in table else None
            if count and modality is not None and count != len(modality.pieces(cell)):
                raise DataError(
                    f"{table.source}: row {row + 1}: {count} places (<{name}>) in its texts and "
                    f"{len(modality.pieces(cell))} values "
                    f"in column {column!r}; each value needs one place, or none has one"
                )


def source_for(
    recipe: Recipe,
    table: Any,
    inputs: Mapping[str, InputSpec],
    targets: Targets | None,
    problems: list[str] | None = None,
    verbose: bool = False,
) -> TableSource:
    """A table that a trained model is to answer; a column that it lacks counts as missing, with a line if `verbose`.

    Raises:
        DataError: it has none of the model's columns.
    """
    opened = open_table(table)
    model_columns = {column for spec in inputs.values() for column in spec.columns}
    missing = sorted(model_columns - set(opened.columns))
    if missing and verbose:
        console.say(f"{opened.source}: has no column {', '.join(missing)}; it counts as missing in every row")
    if not model_columns & set(opened.columns):
        raise DataError(
            f"{opened.source}: has none of the columns that the model reads ({', '.join(sorted(model_columns))})"
        )
    return make_source(recipe, opened, inputs, targets, problems=problems)


def need_targets(source: TableSource, targets: Targets) -> TableSource:
    """The same source, if it has all targets; without them answers can't be scored.

    Raises:
        DataError: it lacks one.
    """
    missing = [name for name in targets.names if name not in source.targets]
    if missing:
        message = unknown("column", missing[0], source.table.columns)
        raise DataError(f"{source.table.source}: the target to compare predictions with: {message}")
    return source
