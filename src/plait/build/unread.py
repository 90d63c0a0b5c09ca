"""Settings of a recipe that nothing reads: those of another task, fusion, encoder, decoder or loss.

One that was typed for this run is an error, because whoever typed it expects an effect. One from a recipe is left out
and noted, so that changing one line of a recipe (`fusion.method=product`) is enough for another run.
"""

import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from plait.build.fitted import FITTED
from plait.build.pairs import ONLY_WITH, is_grouped
from plait.build.tasks import options_of, readers_of, unread_options
from plait.build.words import PROMPT
from plait.decoders import DECODERS
from plait.decoders.language_model import LanguageModel
from plait.decoders.language_weights import is_language_model
from plait.encoders import ENCODERS, encoder_class
from plait.errors import RecipeError
from plait.fusion import FUSIONS
from plait.modalities import MODALITIES
from plait.recipe import Recipe
from plait.training.settings import TrainSettings

SECTIONS = ("task", "inputs", "tabular", "fusion", "head", "decoder", "generation", "train")
OF_FITTED = {
    "metric",
    "seed",
    "workers",
    "cache_mb",
    "device",
    "features",
    "batch_by",
    "precision",
    "baseline",
    "calibrate",
}
OF_THE_LOSS = ("class_weights", "label_smoothing", "loss")  # of a task: what is fitted has a loss of its own
OF_TEACHER = ("distillation", "distillation_temperature")
OF_TEXTS = ("scheduled_sampling", "self_critical", "validation_rows")
OF_LEARNED_WORDS, OF_LANGUAGE_MODELS = ("vocab_size", "lowercase"), ("prompt", "projector", "tune")


def settle(
    recipe: Recipe, kinds: Mapping[str, str], typed: Collection[str] = (), sections: Collection[str] = SECTIONS
) -> tuple[Recipe, list[str]]:
    """The recipe without settings that nothing reads, and a line that lists them.

    Args:
        recipe: complete; all inputs have a modality.
        kinds: target → kind of its task.
        typed: dotted names that the user set for this run, such as `fusion.rank`.
        sections: the ones to check.

    Raises:
        RecipeError: nothing reads one of `typed`; the message says what would read it.
    """
    readers = {path: reason for path, reason in unread(recipe, kinds).items() if path.split(".")[0] in sections}
    for path, reason in readers.items():
        if any(path == name or name.startswith(f"{path}.") for name in typed):
            raise RecipeError(f"{path}: nothing reads it here, it belongs to {reason}; leave it out")
    if not readers:
        return recipe, []
    listed = ", ".join(f"{path} ({reason})" for path, reason in list(readers.items())[:8])
    more = f" and {len(readers) - 8} more" if len(readers) > 8 else ""
    return _without(recipe, readers), [f"settings that nothing reads here: {listed}{more}"]


def unread(recipe: Recipe, kinds: Mapping[str, str]) -> dict[str, str]:
    """The dotted name of each option that is set and that nothing reads → what would read it."""
    readers: dict[str, str] = {}
    for task in recipe.task:
        kind = kinds.get(str(task.target), task.type or "") or next(iter(kinds.values()), "")
        readers |= {f"task.{name}": reader for name, reader in _unread_of_task(task, kind)}
        if recipe.fusion.method in FITTED:
            readers |= {f"task.{name}": "fusions that are networks" for name in OF_THE_LOSS if name in task.options}
    task_kinds = set(kinds.values())
    readers |= {f"fusion.{name}": reader for name, reader in _unread_of_fusion(recipe, task_kinds)}
    if recipe.head.model_fields_set and (recipe.fusion.method in FITTED or task_kinds & {"retrieval", "generation"}):
        readers |= dict.fromkeys(
            (f"head.{name}" for name in sorted(recipe.head.model_fields_set)), "predicting fusions"
        )
    readers |= _unread_of_texts(recipe, task_kinds)
    readers |= {f"train.{name}": reader for name, reader in _unread_of_training(recipe, task_kinds)}
    readers |= _unread_of_inputs(recipe)
    return readers


def _changed(section: Any, names: Iterable[str]) -> list[str]:
    """Options whose value is not the default."""
    fields = getattr(type(section), "model_fields", {})
    return [name for name in names if name in fields and getattr(section, name) != fields[name].default]


def _unread_of_task(task: Any, kind: str) -> Iterable[tuple[str, str]]:
    yield from unread_options(task, kind)
    defaults = options_of(kind)
    for name, loss in ONLY_WITH.items():
        if name in defaults and task.options.get("loss", defaults["loss"]) != loss and name in task.options:
            yield name, f"task.loss={loss}"


def _unread_of_fusion(recipe: Recipe, task_kinds: Collection[str]) -> Iterable[tuple[str, str]]:
    method, fusion = recipe.fusion.method, FUSIONS.get(recipe.fusion.method)
    late = getattr(fusion, "stage", "") == "late"
    if (method in (*FITTED, PROMPT) or late) and _changed(recipe.fusion, ["dim"]):
        yield "dim", "fusions that make a vector"
    if method in FITTED and recipe.fusion.missing_token:
        yield "missing_token", "fusions that are networks"
    if recipe.fusion.clock is not None:
        if method in (*FITTED, PROMPT) or late or "retrieval" in task_kinds:
            yield "clock", "fusions that make a vector"
        elif not any(MODALITIES[str(spec.modality)].timed for spec in recipe.inputs.values()):
            yield "clock", "inputs that have a time: video, sound and series"
    if "retrieval" in task_kinds or fusion is None:
        return
    takes = _takes(fusion)
    for name in recipe.fusion.options:
        owners = [other for other, cls in FUSIONS.items() if name in _takes(cls)]
        if name not in takes and owners:
            yield name, ", ".join(owners[:4])


def _unread_of_texts(recipe: Recipe, task_kinds: Collection[str]) -> dict[str, str]:
    if "generation" not in task_kinds:
        decoder = sorted(recipe.decoder.model_fields_set | recipe.decoder.options.keys())
        search = [n for n, v in recipe.generation.to_json().items() if v != getattr(type(recipe.generation)(), n)]
        names = [*(f"decoder.{name}" for name in decoder), *(f"generation.{name}" for name in search)]
        return dict.fromkeys(names, "task.type=generation")
    readers: dict[str, str] = {}
    method = recipe.decoder.method
    model = is_language_model(method)
    for name in _changed(recipe.decoder, OF_LEARNED_WORDS if model else ["prompt"]):
        readers[f"decoder.{name}"] = " and ".join(DECODERS) if model else "language models"
    takes = _takes(LanguageModel) | set(OF_LANGUAGE_MODELS) if model else _takes(DECODERS.get(method, object))
    for name in recipe.decoder.options:
        owners = [other for other, cls in DECODERS.items() if name in _takes(cls)]
        owners += ["language models"] if name in _takes(LanguageModel) | set(OF_LANGUAGE_MODELS) else []
        if name not in takes and owners:
            readers[f"decoder.{name}"] = ", ".join(owners)
    return readers


def _unread_of_training(recipe: Recipe, task_kinds: Collection[str]) -> Iterable[tuple[str, str]]:
    settings, plain = recipe.train, TrainSettings()
    names = [name for name in vars(plain) if getattr(settings, name) != getattr(plain, name)]
    for name in names:
        if recipe.fusion.method in FITTED and name not in OF_FITTED:
            yield name, "fusions that are networks"
        elif name in OF_TEACHER and settings.teacher is None:
            yield name, "train.teacher"
        elif name in OF_TEXTS and "generation" not in task_kinds:
            yield name, "task.type=generation"
        elif name == "warmup_ratio" and settings.schedule == "onecycle":
            yield name, "schedules other than onecycle"
        elif name == "max_steps" and isinstance(settings.epochs, int):
            yield name, "train.epochs=auto"


def _unread_of_inputs(recipe: Recipe) -> dict[str, str]:
    readers: dict[str, str] = {}
    for column, spec in recipe.inputs.items():
        if is_grouped(spec):
            changed = [name for name in ("encoder", "frozen", "tune_last") if _changed(spec, [name])]
            names = [*changed, *spec.options]
            readers |= dict.fromkeys((f"inputs.{column}.{name}" for name in names), "texts and images; see tabular")
        elif spec.encoder in ENCODERS and spec.encoder.startswith("scratch:"):
            takes = _takes(ENCODERS[spec.encoder]) | _takes(encoder_class(spec.encoder).fit_processor)
            for name in spec.options:
                owners = [other for other, cls in ENCODERS.items() if name in _takes(cls)]
                if name not in takes and owners:
                    readers[f"inputs.{column}.{name}"] = ", ".join(owners[:4])
    if not any(is_grouped(spec) for spec in recipe.inputs.values()):
        names = sorted(recipe.tabular.model_fields_set | recipe.tabular.options.keys())
        readers |= dict.fromkeys((f"tabular.{name}" for name in names), "columns of numbers, categories and dates")
    return readers


def _takes(part: Any) -> set[str]:
    """The names of a class's options."""
    return set() if part is object else set(inspect.signature(part).parameters)


def _without(recipe: Recipe, paths: Mapping[str, str]) -> Recipe:
    """The recipe as if those options had not been set; of several tasks, all that do not read an option lose it."""
    values = recipe.model_dump(mode="json", exclude_defaults=True)
    for path in paths:
        section, rest = path.split(".", 1)
        if section == "inputs":
            column, _, name = rest.rpartition(".")
            values["inputs"].get(column, {}).pop(name, None)
        elif section == "task":
            for task in values["task"]:
                if task.get("type") not in readers_of(rest):
                    task.pop(rest, None)
        else:
            values.get(section, {}).pop(rest, None)
    return Recipe.parse(values)
