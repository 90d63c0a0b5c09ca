"""The recipe: all settings of a run, in YAML, with dotted overrides. This module never imports torch."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from plait.errors import PlaitError, RecipeError, nearest
from plait.files.reading import parse_yaml, read_yaml
from plait.generation.settings import GenerationSettings
from plait.training.settings import TrainSettings

Share = Annotated[float, Gt(0), Lt(1)]


def _column_name(value: Any) -> Any:
    """A column's name as text, as in the table; columns of frames may be named by numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


ColumnName = Annotated[str, BeforeValidator(_column_name)]


class Strict(BaseModel):
    """A section whose keys are all known."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


class Open(BaseModel):
    """A section that passes its other keys on to the class that it names."""

    model_config = ConfigDict(extra="allow", validate_assignment=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """The other keys."""
        return dict(self.__pydantic_extra__ or {})


class DataRecipe(Strict):
    """Where the rows come from.

    `test` is a share of the training table's rows, or a file; `val` a share of those that `test` leaves, or a file;
    `val: none` means no validation. `split`
    names a column that holds train, val or test. `group` names a column whose equal cells stay in one part of a split.
    `time` names a column of dates or numbers: test rows are then the latest ones and validation rows the latest of the
    others, and a comparison trains on what came before each fold. `weight` names a column with how much a row counts
    in training (0 for not at all; scores count every row alike). `repeat` names a column with how often a training row
    is seen in an epoch (0 for never; empty for once). `types`
    overrides the types of columns. `on_error`: refuse to train where a cell can't be used, skip its row, or count the
    cell as missing. `delimiter` separates the cells of CSV files, and `decimal` stands before the fraction of their
    numbers; both are detected where they are not set.
    """

    train: str | None = None
    val: Share | str | None = None
    test: Share | str | None = None
    split: ColumnName | None = None
    group: ColumnName | None = None
    time: ColumnName | None = None
    weight: ColumnName | None = None
    repeat: ColumnName | None = None
    stratify: bool = True
    types: dict[ColumnName, str] = Field(default_factory=dict)
    on_error: Literal["refuse", "skip", "missing"] = "refuse"
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    allow_outside: bool = False


class InputRecipe(Open):
    """One column: its modality and its encoder. Other keys go to the encoder or its processor.

    Without a modality, one is inferred, and all other columns stay inputs too. `column` names the column where the
    input has another name, so that one column may be several inputs: two encoders of an image, or the frames of a video
    and, as `clip:audio`, its sound.
    """

    column: ColumnName | None = None
    modality: str | None = None
    encoder: str | None = None
    frozen: bool = False
    tune_last: Annotated[int, Ge(0)] | None = None

    def reads(self, name: str) -> str:
        """The column of the input of this name."""
        return self.column if self.column is not None else name


class TabularRecipe(Open):
    """The one encoder of all number, category and date columns. Other keys go to it."""

    encoder: str = "scratch:tabular"
    frozen: bool = False


class TaskRecipe(Open):
    """What to predict: `type` is inferred from the target where it is missing. Other keys go to the task.

    `weight` is that of its loss, where a run has several. A task's other options are the keyword arguments of its
    `from_table`; see docs/recipe.md.
    """

    target: ColumnName | None = None
    type: str | None = None
    weight: Annotated[float, Gt(0)] = 1.0


class FusionRecipe(Open):
    """How modalities are fused. Other keys go to the method.

    `clock` brings video, sound and series onto one clock of so many seconds a tick; the method then fuses each tick.
    """

    method: str = "concat"
    dim: Annotated[int, Ge(1), Le(65_536)] = 256
    clock: Annotated[float, Gt(0), Le(1e9)] | None = None
    missing_token: bool = False


class HeadRecipe(Strict):
    """The predictor on top: width of its hidden layer (0 for none), and dropout."""

    hidden: Annotated[int, Ge(0), Le(1_000_000)] = 128
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1


class DecoderRecipe(Open):
    """What writes texts, where the task is generation: `transformer`, `rnn`, or a language model. Other keys go to it.

    A language model is `packaged:smollm2`, `hf:NAME` or a folder; it reads `prompt` beside the inputs. `vocab_size` and
    `lowercase` are settings of the vocabulary that the others learn from the training texts.
    """

    method: str = "transformer"
    vocab_size: Annotated[int, Ge(1), Le(1_000_000)] = 4000
    lowercase: bool = True
    prompt: str | None = None


class Recipe(Strict):
    """A whole run. `plugins` are modules with the user's own parts.

    `resolved` is written by plait: versions, hashes, the values that `auto` became.
    """

    plugins: list[str] = Field(default_factory=list)
    data: DataRecipe = Field(default_factory=DataRecipe)
    inputs: dict[ColumnName, InputRecipe] = Field(default_factory=dict)
    tabular: TabularRecipe = Field(default_factory=TabularRecipe)
    task: list[TaskRecipe] = Field(default_factory=list)
    fusion: FusionRecipe = Field(default_factory=FusionRecipe)
    head: HeadRecipe = Field(default_factory=HeadRecipe)
    decoder: DecoderRecipe = Field(default_factory=DecoderRecipe)
    generation: GenerationSettings = Field(default_factory=GenerationSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    resolved: dict[str, Any] = Field(default_factory=dict)

    @field_validator("task", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        """`task: {target: [a, b]}` and `task: {…}` are short for a list."""
        tasks = [value] if isinstance(value, Mapping) else value
        if not isinstance(tasks, Sequence) or isinstance(tasks, str):
            return tasks
        spread: list[Any] = []
        for task in tasks:
            targets = task.get("target") if isinstance(task, Mapping) else None
            spread += [{**task, "target": t} for t in targets] if isinstance(targets, list) else [task]
        return spread

    @field_validator("inputs", mode="before")
    @classmethod
    def _without_nothing(cls, value: Any) -> Any:
        """Inputs without those that are null, so that `inputs.history=null` takes one out of a recipe."""
        return {n: spec for n, spec in value.items() if spec is not None} if isinstance(value, Mapping) else value

    @field_validator("train", "fusion", mode="before")
    @classmethod
    def _former_names(cls, value: Any) -> Any:
        """Keys renamed from their former names, which recipes of finished runs have; until version 0.3."""
        return {FORMER.get(name, name): v for name, v in value.items()} if isinstance(value, Mapping) else value

    @field_validator("decoder", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        """`decoder: rnn` is short for `decoder: {method: rnn}`."""
        return {"method": value} if isinstance(value, str) else value

    @property
    def targets(self) -> list[str]:
        """Columns to predict."""
        return [task.target for task in self.task if task.target is not None]

    @classmethod
    def parse(cls, values: Mapping[str, Any], source: str = "the recipe") -> Self:
        """Check values.

        Raises:
            RecipeError: an unknown key (the nearest is named), a wrong type, a value out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(f"{source}: {_explain(error, values)}") from error

    @classmethod
    def read(cls, path: Path | str, overrides: Iterable[str] = ()) -> Self:
        """A YAML file with `key=value` overrides on top.

        Raises:
            RecipeError: missing, no YAML, or not a recipe.
        """
        path = Path(path).expanduser()
        values = read_yaml(path)
        if not isinstance(values, dict):
            raise RecipeError(f"{path}: expected sections such as data: and task:, got {type(values).__name__}")
        check_format(values.pop("plait_format", 0), path, RecipeError)  # a run's own says which format its folder has
        return cls.parse(apply_overrides(values, overrides), str(path))

    def write(self) -> str:
        """YAML in the order of the sections, without settings that have their default."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        if len(self.task) == 1 and "task" in values:
            values["task"] = values["task"][0]
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)

    def with_training(self, **settings: Any) -> Self:
        """A copy with other settings of the loop; unlike `updated`, it still knows what the user has set."""
        return self.model_copy(update={"train": replace(self.train, **settings)})

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """A copy with some sections changed."""
        return self.parse(_merged(self.model_dump(mode="json", exclude_defaults=True), changes))


FORMER = {"together": "batch_by", "judge_rows": "validation_rows", "absent_token": "missing_token"}  # → present name
FORMAT = 1  # of a run's folder, written into its recipe


def check_format(written: Any, path: Path, error: type[PlaitError]) -> None:
    """Refuse a file that a newer plait wrote.

    Raises:
        PlaitError: the format is newer, or not a format at all.
    """
    if isinstance(written, bool) or not isinstance(written, int) or written > FORMAT:
        raise error(f"{path}: written by a newer plait (format {written}, this one reads {FORMAT}); upgrade plait")


def apply_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """`train.epochs=3` on top of nested values; the right side is read as YAML.

    A dot within a name is written with a backslash: `inputs.a\\.b.encoder=scratch:bag`.

    Raises:
        RecipeError: an override has no `=`.

    >>> apply_overrides({"train": {"seed": 1}}, ["train.epochs=3", "fusion.method=gated"])
    {'train': {'seed': 1, 'epochs': 3}, 'fusion': {'method': 'gated'}}
    """
    merged = _merged({}, values)  # a copy
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path:
            raise RecipeError(f"expected key=value such as train.epochs=3, got {override!r}")
        value: Any = parse_yaml(text, repr(override[:200]))
        # A null character stands for an escaped dot while the path is split.
        for key in reversed([key.replace("\0", ".") for key in path.replace("\\.", "\0").split(".")]):
            value = {key: value}
        merged = _merged(merged, _spread_task(value, merged))
    return merged


def sections_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of the sections that a caller passed; `fusion="gated"` is short for its method.

    Raises:
        RecipeError: one is no dict.

    >>> sections_of({"fusion": "gated", "head": None, "train": {"epochs": 2}})
    {'fusion': {'method': 'gated'}, 'train': {'epochs': 2}}
    """
    sections = {}
    for name, section in given.items():
        if isinstance(section, str) and name in ("fusion", "decoder"):
            section = {"method": section}
        if section and not isinstance(section, Mapping):
            raise RecipeError(f"{name}: expected a dict of settings, got {section!r:.60}")
        if section:
            sections[name] = dict(section)
    return sections


def sections_for(
    targets: Sequence[str | int], given: Mapping[str, Any], types: Mapping[Any, str] | None
) -> dict[str, Any]:
    """A recipe's values from a caller's arguments: columns to predict, sections, and types of columns.

    Raises:
        RecipeError: a section is no dict.

    >>> sections_for(["y"], {"task": {"type": "regression"}}, {"id": "ignore"})
    {'task': [{'type': 'regression', 'target': 'y'}], 'data': {'types': {'id': 'ignore'}}}
    """
    values = sections_of(given)
    task = values.pop("task", {})
    values["task"] = [{**task, "target": name} for name in targets] or ([task] if task else [])
    if types:
        values["data"] = {**values.get("data", {}), "types": dict(types)}
    return values


def names_of(values: Mapping[str, Any]) -> set[str]:
    """The dotted names of nested values; for each task of a list they begin with `task`.

    >>> sorted(names_of({"fusion": {"method": "mlb", "rank": 8}, "task": [{"target": "y"}]}))
    ['fusion.method', 'fusion.rank', 'task.target']
    """
    names: set[str] = set()
    for key, value in values.items():
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            inner = names_of(part) if isinstance(part, Mapping) else set()
            names |= {f"{key}.{name}" for name in inner} or {str(key)}
    return names


def _spread_task(change: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The change that applies an override such as `task.type=regression` to every task of a list."""
    tasks = values.get("task")
    if isinstance(tasks, list) and isinstance(change.get("task"), dict):
        return {"task": [_merged(task, change["task"]) for task in tasks]}
    return change


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested values with others on top."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


ALTERNATIVE = re.compile(r"(constrained-\w+|str|float|int|function-after|literal\[.*)$")


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """The first problem in one line."""
    first = error.errors()[0]
    # Without the names that pydantic puts in for alternatives of a union and validators.
    path = [str(part) for part in first["loc"] if not ALTERNATIVE.match(str(part))]
    name = ".".join(part for part in path if not part.isdigit())
    more = (
        f" (and {error.error_count() - 1} more)"
        if error.error_count() > 1 and first["type"] == "extra_forbidden"
        else ""
    )
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        choices = _known_keys(path[:-1])
        return f"unknown key {name!r}{nearest(path[-1], choices) or '.'} Known here: {', '.join(choices)}{more}"
    if first["type"] == "missing":
        return f"{name} is missing"
    message = first["msg"].removeprefix("Input should be ").split(", unable to parse")[0]
    return f"{name}: expected {message}, got {first['input']!r}"[:300]


def _known_keys(path: Sequence[str]) -> list[str]:
    sections: dict[str, Any] = {name: field.annotation for name, field in Recipe.model_fields.items()}
    if not path:
        return list(sections)
    of_section: dict[str, type] = {"inputs": InputRecipe, "task": TaskRecipe, "train": TrainSettings}
    section = of_section.get(path[0], sections.get(path[0], Recipe))
    fields = getattr(section, "model_fields", None) or getattr(section, "__dataclass_fields__", {})
    return list(fields)
