"""Presets: what a command line leaves open, set in one place for `train` and `compare` alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plait.build.extras import NEEDS, is_present
from plait.build.fitted import FITTED
from plait.build.model import complete_inputs
from plait.build.pairs import is_grouped
from plait.build.tasks import task_with
from plait.data.readers import open_table
from plait.data.schema import Schema
from plait.errors import RecipeError, unknown
from plait.modalities import MODALITIES
from plait.recipe import Recipe
from plait.runs.prepare import type_columns

DIM = 128  # the fused width: a quarter of 256's cost in methods with attention, and as good on features of encoders
TABULAR_LAYERS = 0  # half of a small model's time were blocks over columns, which gave nothing on small tables
RATE = 2e-3  # of networks on frozen features; encoders that train keep the recipe's


@dataclass(frozen=True)
class Preset:
    """How much is spent on a model, or on a comparison.

    Args:
        about: what it is for.
        max_steps: of each training run; None for the recipe's own bound.
        methods: that `compare` compares; None for all.
        seeds: of `compare`.
        encoders: modality → settings of its frozen encoder, over the modality's own packaged one.
        plain: nothing is set.
    """

    about: str
    max_steps: int | None = None
    methods: tuple[str, ...] | None = None
    seeds: int = 1
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plain: bool = False


PRESETS = {
    "plain": Preset("the recipe's own defaults, encoders from scratch", plain=True),
    "fast": Preset(
        "a first answer",
        max_steps=1_200,
        methods=("concat", "product", "mutan", "late_mean", "linear", "kernel_sum", "kernel_product"),
    ),
    "good": Preset("an answer to rely on"),
    "best": Preset(
        "every bit of score",
        max_steps=10_000,
        seeds=3,
        encoders={"image": {"encoder": "packaged:efficientnet-lite2"}},
    ),
}


def preset_of(name: str) -> Preset:
    """The preset of a name.

    Raises:
        RecipeError: there is none.
    """
    if name not in PRESETS:
        raise RecipeError(unknown("preset", name, PRESETS))
    return PRESETS[name]


def apply_preset(recipe: Recipe, preset: str) -> tuple[Recipe, list[str]]:
    """The recipe with a preset's values wherever it is silent.

    Text and image columns get the frozen packaged encoders, where these are installed: features are computed once, and
    a network from scratch learns less from a small table. Not where texts are written or rows are searched for: their
    decoders read tokens, and their encoders train.

    Returns:
        The recipe, and a line for all that was set.

    Raises:
        RecipeError: there is no such preset.
    """
    chosen = preset_of(preset)
    lines: list[str] = []
    if chosen.plain or not recipe.task or task_with(recipe, "uncompared") is not None or recipe.data.train is None:
        return recipe, lines
    schema = type_columns(recipe, open_table(recipe.data.train))
    fitted = recipe.fusion.method in FITTED
    if "dim" not in recipe.fusion.model_fields_set and not fitted:
        recipe = recipe.updated({"fusion": {"dim": DIM}})
        lines.append(f"fusion.dim: {DIM}")
    if "layers" not in recipe.tabular.options and not fitted and _has_tabular(recipe, schema):
        recipe = recipe.updated({"tabular": {"layers": TABULAR_LAYERS}})
        lines.append(f"tabular.layers: {TABULAR_LAYERS}, columns meet in the fusion only")
    changes = _encoders(recipe, schema, chosen)
    for name, settings in changes.items():
        options = "".join(f", {key} {value}" for key, value in settings.items() if key not in ("encoder", "frozen"))
        lines.append(f"{name}: {settings['encoder']}, frozen{options} (name another with inputs.{name}.encoder=…)")
    if changes:
        recipe = recipe.updated({"inputs": changes})
    train = _training(recipe, schema, chosen)
    if train and not fitted:
        recipe = recipe.updated({"train": train})
        lines += [f"train.{name}: {value:g}" for name, value in train.items()]
    return recipe, lines


def _encoders(recipe: Recipe, schema: Schema, preset: Preset) -> dict[str, dict[str, Any]]:
    """Settings of the columns whose encoder the recipe leaves open, where there is a packaged one."""
    changes: dict[str, dict[str, Any]] = {}
    inputs = complete_inputs(recipe.inputs, schema) if schema else {}
    for name, spec in inputs.items():
        modality = MODALITIES[str(spec.modality)]
        if modality.packaged is not None and spec.encoder is None and not spec.options:
            own = preset.encoders.get(modality.name, {})
            settings = {"encoder": modality.packaged, "frozen": True, **modality.packaged_options, **own}
            if all(is_present(module) for module in NEEDS[settings["encoder"]]):
                changes[name] = settings
    return changes


def _training(recipe: Recipe, schema: Schema, preset: Preset) -> dict[str, Any]:
    """Settings of the loop that the recipe leaves open."""
    values: dict[str, Any] = {}
    if preset.max_steps is not None and recipe.train.max_steps is None and not isinstance(recipe.train.epochs, int):
        values["max_steps"] = preset.max_steps
    media = [spec for spec in complete_inputs(recipe.inputs, schema).values() if not is_grouped(spec)]
    if all(spec.frozen for spec in media) and "learning_rate" not in _named(recipe):
        values["learning_rate"] = RATE
    return values


def _named(recipe: Recipe) -> set[str]:
    """The settings of the loop that differ from their defaults."""
    return set(recipe.model_dump(mode="json", exclude_defaults=True).get("train", {}))


def _has_tabular(recipe: Recipe, schema: Schema) -> bool:
    return bool(schema) and any(is_grouped(spec) for spec in complete_inputs(recipe.inputs, schema).values())
