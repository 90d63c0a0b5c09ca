"""From a table and a recipe to everything that a training run needs."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from plait.build.fitted import FITTED, counted
from plait.build.generation import prompted, with_model_config
from plait.build.model import build_inputs, build_model, complete_inputs, name_folders, with_positions
from plait.build.pairs import is_grouped
from plait.build.plugins import load_for, needed
from plait.build.tasks import build_targets, roles_of, split_group, task_with
from plait.build.unread import settle
from plait.data.batches import Cache, InputSpec, TableSource
from plait.data.plan import BatchPlan, padded_share
from plait.data.schema import GROUP, Schema, infer_schema
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.features.frozen import FrozenInputs
from plait.model import MultimodalModel
from plait.recipe import Recipe
from plait.runs.split import split_rows
from plait.runs.tables import make_source
from plait.runs.teacher import adopt_tokens
from plait.runs.warm_start import adopt_processors, load_weights
from plait.runs.weights import row_weights, weighed
from plait.tasks import Targets
from plait.training.objective import check_remedies
from plait.training.pace import Metric, expected_epochs
from plait.values import as_number, is_missing

REPEATS = 1.5  # rows per image; above it, rows that share an image are kept in one batch
LENIENT = "replace it, leave such rows out with --on-error skip, or take such cells as missing with --on-error missing"
EVALUATION_BATCH = 4  # times the training batch: without gradients more rows fit


@dataclass
class Part:
    """Some rows of a table: training, validation or test."""

    source: TableSource
    rows: np.ndarray

    def truth(self) -> dict[str, np.ndarray]:
        """Encoded targets of the rows."""
        return {name: values.numpy()[self.rows] for name, values in self.source.targets.items()}


@dataclass
class Prepared:
    """Everything that is fitted and built before training."""

    recipe: Recipe
    schema: Schema
    inputs: dict[str, InputSpec]
    targets: Targets
    parts: dict[str, Part]
    model: MultimodalModel
    notes: list[str] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    weights: np.ndarray | None = None  # of the rows of the training table, on average 1 among those that train


def prepare(
    recipe: Recipe,
    table: Table,
    val: Table | None = None,
    test: Table | None = None,
    typed: Collection[str] = (),
) -> Prepared:
    """Type the columns, split the rows, fit processors and tasks, build the model.

    Args:
        recipe: of the run.
        table, val, test: the rows.
        typed: dotted names of settings that were typed for this run; one that nothing reads is an error.

    Raises:
        DataError, RecipeError: something does not fit; nothing has been trained yet.
    """
    notes: list[str] = []
    # The recipe is completed: plugins, columns and their types, what is an input, which rows train.
    load_for(recipe)
    schema = type_columns(recipe, table)
    recipe = counted(with_positions(name_folders(prompted(with_inputs(recipe, schema)))))
    rows = split_rows(recipe, table, has_val=val is not None, has_test=test is not None)
    if recipe.data.time is not None:
        notes.append(f"split by {recipe.data.time}: the latest rows are held back")
    elif split_group(recipe) is not None and recipe.data.group is None:
        notes.append(f"split by {split_group(recipe)}: rows that share it stay on one side (--group names another)")
    recipe = recipe.model_copy(update={"plugins": needed(recipe)})

    # Tasks and processors are fitted on training rows alone.
    targets, reasons = build_targets(recipe, table, rows["train"])
    recipe, unread = settle(recipe, {name: task.kind for name, task in targets.tasks.items()}, typed)
    notes += unread
    notes += [f"target {name}: {targets.tasks[name].kind}, {reason}" for name, reason in reasons.items()]
    notes += [line for line in (task.describe() for task in targets.tasks.values()) if line is not None]
    inputs = build_inputs(recipe, table, rows["train"], schema)

    # A former run or a teacher has vocabularies already, and weights or answers mean nothing without them.
    if recipe.train.start is not None:
        inputs, targets = adopt_processors(recipe.train.start, inputs, targets)
    if recipe.train.teacher is not None:
        if recipe.fusion.method in FITTED:
            method = recipe.fusion.method
            raise RecipeError(f"train.teacher: {method} learns from the truth alone; leave it out, or name a network")
        targets = adopt_tokens(recipe.train.teacher, targets)

    # The parts, without rows that can't be learned from or scored.
    cache = Cache(int(recipe.train.cache_mb * 1e6))

    def source_of(rows: Table) -> TableSource:
        problems: list[str] | None = [] if recipe.data.on_error == "missing" else None
        return make_source(recipe, rows, inputs, targets, cache, problems, recipe.data.on_error != "refuse")

    source = source_of(table)
    parts = {name: Part(source, chosen) for name, chosen in rows.items()}
    for name, other in (("val", val), ("test", test)):
        if other is not None:
            parts[name] = Part(source_of(other), np.arange(len(other)))
    parts = {name: part if name == "train" else with_drawn(recipe, part, targets) for name, part in parts.items()}
    problems = []
    for name, part in parts.items():
        problems += _drop_unusable(recipe, name, part, targets, notes)

    weights = row_weights(recipe, table)
    if weights is not None:
        parts["train"].rows, weights = weighed(parts["train"].rows, weights, table.source)

    # The seed is set right before the weights are drawn, whatever was drawn before.
    torch.manual_seed(recipe.train.seed)
    model = build_model(recipe, inputs, targets)
    targets = with_model_config(targets, model)
    if recipe.train.start is not None:
        notes.append(load_weights(recipe.train.start, model))
    check_remedies(recipe.train, model, has_val="val" in parts)
    prepared = Prepared(recipe, schema, inputs, targets, parts, model, notes, problems, weights)
    notes += _padding_note(plan_for(prepared, "train", shuffle=True))
    return prepared


def _padding_note(plan: BatchPlan) -> list[str]:
    """A note on the padding that batches of texts of similar length save."""
    if plan.lengths is None:
        return []
    loose = BatchPlan(plan.rows, plan.batch_size, seed=plan.seed)
    before, after = (padded_share(one, plan.lengths) for one in (loose, plan))
    return [f"batches of texts of similar length: {after:.0%} padding instead of {before:.0%}"]


def with_inputs(recipe: Recipe, schema: Schema) -> Recipe:
    """The recipe with all of its inputs.

    For a task about pairs whose sides nobody named, these are the images and the texts only: an image should not be
    found by the ids, prices or folders beside it. To use those, name them under `inputs`.
    """
    inputs = complete_inputs(recipe.inputs, schema)
    if task_with(recipe, "pairs") is not None:
        named = recipe.inputs.keys() | recipe.data.types.keys()
        sides = {n: spec for n, spec in inputs.items() if n in named or not is_grouped(spec)}
        inputs = sides if len(sides) > 1 else inputs
    return recipe.model_copy(update={"inputs": inputs})


def type_columns(recipe: Recipe, table: Table) -> Schema:
    """The schema of a recipe's table; where the recipe names a column's type, that wins over what its values look like.

    Raises:
        DataError: the recipe names a column that does not exist.
    """
    roles = roles_of(recipe)
    columns = (
        *((name, role) for name, role in roles.items() if name not in recipe.targets),
        (recipe.data.group, GROUP),
        (recipe.data.split, "the split"),
        (recipe.data.time, "the time"),
        (recipe.data.weight, "the weight"),
        (recipe.data.repeat, "how often"),
    )
    for column, role in columns:
        if column is not None:
            table.column(column)
            roles[column] = role
    named_types = {
        name: str(spec.modality)
        for name, spec in recipe.inputs.items()
        if spec.modality is not None and spec.reads(name) == name
    }
    roles = {name: role for name, role in roles.items() if name not in named_types}
    return infer_schema(table, {**recipe.data.types, **named_types}, roles, recipe.data.decimal)


def with_drawn(recipe: Recipe, part: Part, targets: Targets) -> Part:
    """A part to score, with non-matches drawn into it where the task draws them and the table has none."""
    source, only = part.source, targets.only
    table = None if only is None else only.table_to_score(source.table, part.rows, recipe.train.seed)
    if table is None:
        return part
    drawn = make_source(recipe, table, source.inputs, targets, source.cache, source.problems, True)
    return Part(drawn, np.arange(len(table)))


def frozen_inputs(
    recipe: Recipe, model: MultimodalModel, inputs: Mapping[str, InputSpec], verbose: bool, for_folds: bool = False
) -> FrozenInputs:
    """An object that encodes the inputs of a model's frozen encoders and stores the outputs."""
    data, settings = recipe.data, recipe.train
    return FrozenInputs(model, inputs, settings.features, workers_of(recipe), data.allow_outside, verbose, for_folds)


def encode_frozen(prepared: Prepared, verbose: bool) -> None:
    """Store the outputs of frozen encoders for all rows of a run, and let its sources read them from the store."""
    frozen = frozen_inputs(prepared.recipe, prepared.model, prepared.inputs, verbose)
    sources = {id(part.source): part.source for part in prepared.parts.values()}
    for key, source in sources.items():
        rows = [part.rows for part in prepared.parts.values() if id(part.source) == key]
        prepared.notes += frozen.attach(source, np.concatenate(rows), expected_epochs(prepared.recipe.train))


def _drop_unusable(recipe: Recipe, name: str, part: Part, targets: Targets, notes: list[str]) -> list[dict[str, Any]]:
    """Leave out rows that no target can be learned from or judged by; refuse or skip, as `on_error` says."""
    if not part.source.targets:
        first = next(iter(targets.tasks.values()))
        raise DataError(f"{part.source.table.source}: the {name} table has {first.needs(targets.names[0])}")
    truth = part.truth()
    # A row is lost where none of the targets is usable; one usable target is enough to learn from.
    lost, unseen = np.ones(len(part.rows), dtype=bool), np.zeros(len(part.rows), dtype=bool)
    for target, task in targets.tasks.items():
        lost &= task.unusable(truth[target]) if target in truth else True
        if target in truth:
            unseen |= task.unseen(truth[target])  # in training rows: not among the most frequent
            _count_unseen(name, target, task.unseen(truth[target]), part, notes)
    why = next(iter(targets.tasks.values())).lacking
    problems = [{"row": int(row) + 1, "part": name, "problem": why} for row in part.rows[lost]]
    if targets.pairs is not None:
        if problems:
            notes.append(f"{name}: {len(problems):,} rows lack a side and are left out")
    elif name == "train" and recipe.data.on_error == "refuse" and (lost & ~unseen).any():
        empty = part.rows[lost & ~unseen]
        count = "1 such row" if len(empty) == 1 else f"{len(empty):,} such rows"
        raise DataError(
            f"{part.source.table.source}: row {int(empty[0]) + 1}: the target {', '.join(targets.names)} is empty "
            f"({count}); fill it, or leave such rows out with --on-error skip"
        )
    part.rows = part.rows[~lost]
    if not len(part.rows):
        raise DataError(f"{part.source.table.source}: no row of the {name} part has a usable target")
    return problems


def _count_unseen(name: str, target: str, are_unseen: np.ndarray, part: Part, notes: list[str]) -> None:
    unseen = np.flatnonzero(are_unseen)
    if not len(unseen):
        return
    value = part.source.table.cells(target, part.rows[unseen[:1]])[0]
    notes.append(
        f"{name}: {len(unseen)} rows have a {target} that the model has no class for, such as {value!r}; left out"
    )


def check_media(prepared: Prepared, limit: int = 50_000) -> None:
    """Read every row once before training, so that a bad file is noticed after seconds and not after an hour.

    Of a part with more than `limit` rows, evenly spaced ones are checked; `plait check` looks at all of them.

    Cells that count as missing (`on_error=missing`) are listed in the run's problems.

    Raises:
        DataError: a cell can't be used and the recipe says `refuse`.
    """
    already_noted: dict[int, int] = {}
    for name, part in prepared.parts.items():
        step = max(1, -(-len(part.rows) // limit))
        bad_rows: set[int] = set()
        for rows in np.array_split(part.rows[::step], max(1, len(part.rows) // step // 256)):
            try:
                part.source.batch(rows)
            except DataError as error:
                if prepared.recipe.data.on_error == "refuse":
                    raise DataError(f"{error}; {LENIENT}") from error
                bad_cells = [{**problem, "part": name} for problem in part.source.find_problems(rows)]
                prepared.problems += bad_cells
                bad_rows |= {problem["row"] - 1 for problem in bad_cells}
        # Parts may share a source, which lists the problems of all of them: only those since the last part are new.
        first_new = already_noted.get(id(part.source), 0)
        new_problems = list(part.source.problems or [])[first_new:]
        already_noted[id(part.source)] = len(part.source.problems or [])
        prepared.problems += [{"part": name, "problem": problem} for problem in new_problems]
        if new_problems:
            prepared.notes.append(
                f"{name}: {len(new_problems):,} cells can't be used and count as missing, such as {new_problems[0]}"
            )
        if bad_rows:
            part.rows = part.rows[~np.isin(part.rows, list(bad_rows))]
            prepared.notes.append(f"{name}: {len(bad_rows)} rows with unusable cells are left out")
            if not len(part.rows):
                raise DataError(f"{part.source.table.source}: no usable row is left in the {name} part")


def batch_codes(recipe: Recipe, inputs: Mapping[str, InputSpec], table: Table) -> np.ndarray | None:
    """Codes of the column whose equal cells stay in one batch; None where any rows may make a batch.

    Raises:
        DataError: the named column does not exist.
    """
    choice = recipe.train.batch_by
    if choice == "none":
        return None
    if choice != "auto":
        return table.codes(choice)[0]
    if task_with(recipe, "pairs") is not None:  # a batch of few images would hold few negatives
        return None
    # `auto`: the image column whose values recur most, so that an image is decoded and encoded once a batch.
    best, best_repeats = None, REPEATS
    for spec in inputs.values():
        if spec.kind is not None and spec.kind.shared and spec.columns[0] in table:
            codes, values = table.codes(spec.columns[0])
            repeats = (codes >= 0).sum() / max(1, len(values))
            if repeats > best_repeats:
                best, best_repeats = codes, repeats
    return best


def plan_for(prepared: Prepared, name: str, shuffle: bool, part: int = 0, parts: int = 1) -> BatchPlan:
    """The batches of a part."""
    data, settings = prepared.parts[name], prepared.recipe.train
    codes = batch_codes(prepared.recipe, prepared.inputs, data.source.table)
    repeat = prepared.recipe.data.repeat if shuffle else None
    rows = data.rows if repeat is None else repeated(data.source.table, repeat, data.rows)
    groups = None if codes is None else codes[rows]
    size = settings.batch_size * (1 if shuffle else EVALUATION_BATCH)
    lengths = None
    if shuffle and groups is None:  # rows that are grouped already can't be batched by length too
        for target, task in prepared.targets.tasks.items():
            lengths = task.lengths(data.source.targets[target].numpy()[rows]) if lengths is None else lengths
    return BatchPlan(rows, size, groups, shuffle, settings.seed, part, parts, lengths)


def repeated(table: Table, column: str, rows: np.ndarray) -> np.ndarray:
    """The rows, each repeated as often as a column says.

    Raises:
        DataError: a cell is no whole number, or all are 0.
    """
    counts = np.ones(len(rows), dtype=np.int64)
    for place, (row, cell) in enumerate(zip(rows, table.iterate(column, rows), strict=True)):
        if not is_missing(cell):
            number = as_number(column, cell)
            if number < 0 or not float(number).is_integer():
                raise DataError(f"{table.source}: row {row + 1}, column {column!r}: expected 0, 1, 2, …, got {cell!r}")
            counts[place] = int(number)
    if not counts.any():
        raise DataError(f"{table.source}: column {column!r} is 0 in every training row; none would be seen")
    return np.repeat(rows, counts)


def metric_of(recipe: Recipe, targets: Targets) -> Metric:
    """The metric that picks the best epoch."""
    return Metric(*targets.choose_metric(recipe.train.metric))


def workers_of(recipe: Recipe) -> int:
    """Decoding threads: as asked, or one fewer than the cores."""
    workers = recipe.train.workers
    return workers if workers is not None else max(1, min(8, (os.cpu_count() or 2) - 1))
