"""Recipe → tasks: the task of each section, its options, and how it uses columns and inputs."""

import inspect
from functools import partial
from typing import Any

import numpy as np

from plait.build.fitted import FITTED
from plait.build.options import checked_options
from plait.build.pairs import sides_of
from plait.build.words import words_for
from plait.data.table import Table
from plait.errors import DataError, RecipeError, nearest, unknown
from plait.fusion import FUSIONS
from plait.modalities import MODALITIES
from plait.recipe import Recipe, TaskRecipe
from plait.tasks import TASKS, Targets, Task, guess_task
from plait.tasks.asked import Asked

SHARED = ("target", "type", "weight")  # keys that the section of any task may have
EACH_ALONE = ("auxiliary", "gradient_modulation", "gradient_blending")  # settings that need an answer by each modality


def task_class(spec: TaskRecipe) -> type[Task] | None:
    """The class of a section's task; None where the section names no type.

    Raises:
        RecipeError: there is no such task.
    """
    if spec.type is not None and spec.type not in TASKS:
        raise RecipeError(f"task.type: {unknown('task', spec.type, TASKS)}")
    return None if spec.type is None else TASKS[spec.type]


def task_with(recipe: Recipe, what: str) -> TaskRecipe | None:
    """The section whose task has an attribute that is true, such as `pairs` or `writes`."""
    return next((spec for spec in recipe.task if getattr(task_class(spec), what, None)), None)


def options_of(kind: str) -> dict[str, Any]:
    """The options that a task reads, with their defaults."""
    if kind not in TASKS:
        return {}
    parameters = inspect.signature(TASKS[kind].from_table).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def readers_of(option: str) -> list[str]:
    """The tasks that read an option."""
    return [kind for kind in TASKS if option in options_of(kind)]


def options_for(spec: TaskRecipe, kind: str) -> dict[str, Any]:
    """All options of a task: a section's values, checked, and defaults for the others.

    Raises:
        RecipeError: one is of another type, or out of range.
    """
    defaults = options_of(kind)
    chosen = {name: value for name, value in spec.options.items() if name in defaults}
    return defaults | checked_options("task", TASKS[kind].from_table, chosen)


def check_tasks(recipe: Recipe) -> None:
    """Refuse tasks that contradict themselves, each other, or the rest of the recipe.

    Raises:
        RecipeError: an option or a task is unknown, a target is missing or must not be there, or a task that must be
            alone is not.
    """
    for spec in recipe.task:
        task = task_class(spec)
        for name in spec.options:
            if not readers_of(name):
                keys = [*SHARED, *dict.fromkeys(n for kind in TASKS for n in options_of(kind))]
                hint = nearest(name, keys) or "."
                raise RecipeError(f"unknown key 'task.{name}'{hint} Known here: {', '.join(keys)}")
        if spec.type is not None:
            options_for(spec, spec.type)
        if spec.target is None and (task is None or task.usual_name is None):
            raise RecipeError("task.target is missing: name the column to predict")
        if task is not None and not task.joint and spec.target is not None:
            raise RecipeError(
                f"{spec.type} has no target, it learns what stands in one row; leave {spec.target!r} out, or predict "
                "it with another type of task"
            )
        if task is not None and task.alone and len(recipe.task) > 1:
            raise RecipeError(f"{spec.type} is a run's only task; train the others in a run of their own")
        if task is not None:
            _check_beside(recipe, spec, task)
    twice = next((name for name in recipe.targets if recipe.targets.count(name) > 1), None)
    if twice is not None:
        raise RecipeError(f"task: {twice!r} is a target twice; one model answers it once")


def _check_beside(recipe: Recipe, spec: TaskRecipe, task: type[Task]) -> None:
    """Refuse settings of other sections that contradict a task."""
    method = recipe.fusion.method
    if recipe.data.weight is not None and not task.weighable:
        raise RecipeError(
            f"data.weight: the loss of {spec.type} takes no weights of rows; data.repeat says how often a row is seen"
        )
    late = method in FUSIONS and getattr(FUSIONS[method], "stage", "") == "late"
    # Training settings that need an answer from each modality.
    for name in EACH_ALONE:
        if getattr(recipe.train, name) and not task.joint:
            raise RecipeError(f"train.{name} balances modalities that answer together; in {spec.type} each has its own")
        if getattr(recipe.train, name) and (task.stepwise or task.own_fusion):
            raise RecipeError(f"train.{name} asks each modality for its own answer, which {spec.type} has none of")
        if getattr(recipe.train, name) and task.writes is not None:
            raise RecipeError(
                f"train.{name} asks each modality for its own answer; of texts there is only the whole one"
            )
    # The fusion. The method `concat` is the default, so it is no contradiction where nothing is fused.
    if not task.joint and method not in ("concat", "shared_space"):
        raise RecipeError(
            f"fusion.method={method}: in {spec.type} every input gets a vector of its own and nothing is fused; leave "
            "the method out, or train a matching task"
        )
    if task.pairs and method in FITTED:
        raise RecipeError(f"fusion.method={method} predicts columns; a {spec.type} task needs another fusion")
    if task.own_fusion and (method != "concat" or recipe.fusion.clock is not None):
        chosen = f"method={method}" if method != "concat" else f"clock={recipe.fusion.clock:g}"
        raise RecipeError(f"fusion.{chosen}: {spec.type} compares its inputs in a way of its own; leave it out")
    if (task.stepwise or task.reads is not None) and method in FITTED:
        raise RecipeError(f"fusion.method={method} answers a row at a time; {spec.type} needs another fusion")
    if task.writes is not None and (method in FITTED or late):
        raise RecipeError(f"fusion.method={method}: it predicts by itself; a decoder needs fused tokens, as concat's")
    # Generation can't write longer texts than the task learns.
    if task.writes is not None:
        longest = options_for(spec, str(spec.type)).get("max_length")
        if longest is not None and recipe.generation.max_length > longest:
            raise RecipeError(
                f"generation.max_length={recipe.generation.max_length}: texts of up to task.max_length={longest} "
                "tokens are learned; raise that, or lower this"
            )


def roles_of(recipe: Recipe) -> dict[str, str]:
    """Column → its role, for columns that are not inputs: targets, and columns that options of tasks name."""
    roles = dict.fromkeys(recipe.targets, "the target")
    for spec in recipe.task:
        task = task_class(spec)
        for option, role in ({} if task is None else task.column_options).items():
            if spec.options.get(option) is not None:
                roles[str(spec.options[option])] = role
    return roles


def split_group(recipe: Recipe) -> str | None:
    """The column whose equal cells stay on one side of a split: that of the anchor, by default an image.

    For tasks about pairs, and for tasks that write texts, where an image may have several; else None.
    """
    sides, modalities = sides_of(recipe)
    anchors = [name for name, modality in modalities.items() if modality in MODALITIES and MODALITIES[modality].anchors]
    spec = task_with(recipe, "pairs")
    if spec is None:
        return anchors[0] if task_with(recipe, "writes") is not None and anchors else None
    anchor = spec.options.get("anchor") or (anchors or list(sides))[0]
    return sides.get(anchor, [anchor])[0]


def build_targets(recipe: Recipe, table: Table, rows: np.ndarray) -> tuple[Targets, dict[str, str]]:
    """The tasks, fitted on training targets, and the reason for each one's type.

    Raises:
        RecipeError: a task, or one of its options, is unknown or contradicts another.
        DataError: a target is missing, constant, or does not fit its type.
    """
    tasks: dict[str, Task] = {}
    reasons: dict[str, str] = {}
    check_tasks(recipe)
    sides, modalities = sides_of(recipe)
    lenient = recipe.data.on_error != "refuse"
    for spec in recipe.task:
        if spec.target is not None and spec.target not in table:
            raise DataError(f"{table.source}: there is no column {spec.target!r}{nearest(spec.target, table.columns)}")
        words = partial(words_for, recipe, sides)
        asked = Asked(table, rows, spec.target, sides, modalities, recipe.data.decimal, lenient, words)
        kind, reason = spec.type, "as you said"
        if kind is None or not TASKS[kind].alone:
            guessed, why = guess_task(asked.sample)  # a constant target is refused whatever its type
            kind, reason = (guessed, why) if kind is None else (kind, reason)
        if spec.type is None:  # what is guessed may contradict the recipe as well as what is named
            _check_beside(recipe, spec.model_copy(update={"type": kind}), TASKS[kind])
        task: Any = TASKS[kind].from_table(asked, **options_for(spec, kind))
        name = spec.target or str(TASKS[kind].usual_name)
        tasks[name] = task
        because = task.because() if task.alone else reason
        reasons |= {} if because is None else {name: because}
    return Targets(tasks, {name: spec.weight for name, spec in zip(tasks, recipe.task, strict=True)}), reasons


def unread_options(spec: TaskRecipe, kind: str) -> list[tuple[str, str]]:
    """Options of a section that its task does not read, each with the names of the tasks that do."""
    read_here, unread = options_of(kind), []
    for name, value in sorted(spec.options.items()):
        readers = readers_of(name)
        if name not in read_here and readers and value != options_of(readers[0])[name]:
            unread.append((name, ", ".join(readers)))
    if spec.weight != 1.0 and kind in TASKS and TASKS[kind].alone:
        unread.append(("weight", ", ".join(other for other, cls in TASKS.items() if not cls.alone)))
    return unread
