"""Recipe → objects: the one place where a name becomes a class."""

import inspect
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from plait import former_names
from plait.build.encoders import (
    build_column_encoder,
    chosen_options,
    encoder_name,
    is_framed,
    make_column_processor,
    processor_options,
)
from plait.build.ensemble import ENSEMBLE, build_ensemble
from plait.build.fitted import FITTED, fitted_columns, fitted_head
from plait.build.generation import build_writer
from plait.build.options import construct
from plait.build.pairs import build_shared_space, group_name, is_grouped, members_of
from plait.build.tasks import options_for
from plait.build.timed import build_head, build_lags, check_times, on_clock
from plait.build.words import PROMPT
from plait.data.batches import InputSpec
from plait.data.schema import IGNORE, Schema
from plait.data.table import Table
from plait.encoders import ENCODERS, encoder_class, set_trainable
from plait.encoders.weights import is_model_folder
from plait.errors import DataError, RecipeError, nearest, unknown
from plait.fusion import FUSIONS
from plait.fusion.prompt import PromptFusion
from plait.fusion.raw import RawFusion
from plait.heads import PredictHead, SplitHead
from plait.modalities import GROUPS, MODALITIES, Group
from plait.model import MultimodalModel
from plait.processors import Processor
from plait.recipe import InputRecipe, Recipe
from plait.tasks import Targets

WIDE = 128  # columns from which attention over columns is left out: its cost grows with their square
FIT_ROWS = 200_000  # rows that vocabularies and scales are learned from


def complete_inputs(given: Mapping[str, InputRecipe], schema: Schema) -> dict[str, InputRecipe]:
    """The inputs of a run: those given, if each says what it is; else every column that is not ignored, changed by
    what is given.

    An input that names its column and no modality has that which its own name ends with, as `clip:audio` does, else
    the column's.

    Raises:
        RecipeError: there is no such modality, or an input can't name a column.
        DataError: none is left, or one is given that the schema ignores.
    """
    for name, spec in given.items():
        if spec.modality is not None and spec.modality not in MODALITIES:
            raise RecipeError(f"inputs.{name}.modality: {unknown('modality', spec.modality, MODALITIES)}")
        if spec.column not in (None, name) and name in schema:
            raise RecipeError(
                f"inputs.{name}.column: {name} is a column itself; give the input that reads {spec.column} another "
                f"name, such as {spec.column}:2"
            )
        if spec.column is not None and spec.column not in schema and schema:
            similar = nearest(spec.column, schema)
            raise RecipeError(f"inputs.{name}.column: there is no column {spec.column!r}{similar}")
    if given and all(spec.modality is not None for spec in given.values()):
        return dict(given)
    inputs = {name: InputRecipe(modality=c.modality) for name, c in schema.items() if c.modality != IGNORE}
    for name, spec in given.items():
        column, ending = spec.reads(name), name.rpartition(":")[2]
        if spec.column is not None and ":" in name and ending not in MODALITIES and nearest(ending, MODALITIES):
            raise RecipeError(f"inputs.{name}: {ending} is no modality{nearest(ending, MODALITIES)}")
        by_name = ending if spec.column is not None and ending in MODALITIES else None
        modality = spec.modality or by_name or (schema[column].modality if column in schema else IGNORE)
        if modality == IGNORE:
            reason = schema[column].reason if column in schema else "there is no such column"
            raise DataError(
                f"inputs.{name}: the column is ignored ({reason}); say what it is with --type {column}=text"
            )
        inputs[name] = InputRecipe(**{**spec.model_dump(), "modality": modality})
    for name, spec in inputs.items():
        if spec.column not in (None, name) and is_grouped(spec):
            raise RecipeError(
                f"inputs.{name}.column: {spec.column} is a {spec.modality}, and numbers, categories and dates share "
                "one input; name another modality for it, or leave the input out"
            )
    if not inputs:
        reasons = "; ".join(f"{column.name}: {column.reason}" for column in list(schema.values())[:5])
        raise DataError(f"no column is left to learn from ({reasons}); say what one is with --type COLUMN=text")
    return inputs


def with_positions(recipe: Recipe, positions: bool = True) -> Recipe:
    """The recipe, which says whether its fusion reads where tokens lie, if the fusion can and nobody said.

    New runs do. A run that was begun before fusions could do so has no weights for it and does not say so: it goes on
    with False.
    """
    if "positions" in recipe.fusion.options or not reads_positions(recipe.fusion.method):
        return recipe
    return recipe.updated({"fusion": {"positions": positions}})


def reads_positions(method: str) -> bool:
    """Whether a fusion attends to tokens, and can read where they lie."""
    made = FUSIONS.get(method)
    return made is not None and "positions" in inspect.signature(made).parameters


def name_folders(recipe: Recipe) -> Recipe:
    """Spell an encoder that is a local folder as `hf:FOLDER`, so that a run can be read where the folder is gone."""
    folders = {n: s.encoder for n, s in recipe.inputs.items() if s.encoder is not None and is_model_folder(s.encoder)}
    return recipe.updated({"inputs": {name: {"encoder": f"hf:{folder}"} for name, folder in folders.items()}})


def build_inputs(recipe: Recipe, table: Table, rows: np.ndarray, schema: Schema) -> dict[str, InputSpec]:
    """Fit the processors on training rows. The columns of a group become one input, such as `tabular`.

    The schema says how numbers and dates are written.

    Raises:
        RecipeError: an encoder or option is unknown.
        DataError: a column is missing, or a cell does not fit its type.
    """
    rows = rows if len(rows) <= FIT_ROWS else rows[:: -(-len(rows) // FIT_ROWS)]
    specs: dict[str, InputSpec] = {}
    for name, spec in recipe.inputs.items():
        column = spec.reads(name)
        table.column(column)
        if not is_grouped(spec):
            specs[name] = InputSpec((column,), make_column_processor(recipe, name, table, rows), str(spec.modality))
    for group in GROUPS.values():
        columns = members_of(recipe, group)
        if any(columns.values()):
            names = [name for of_kind in columns.values() for name in of_kind]
            forms = {name: schema[name].form or {} for name in names if name in schema and schema[name].form}
            processor = _group_processor(recipe, group, columns, table, rows, forms)
            specs[group_name(recipe, group)] = InputSpec(tuple(names), processor, group.name)
    return specs


def _group_processor(
    recipe: Recipe,
    group: Group,
    columns: Mapping[str, list[str]],
    table: Table,
    rows: np.ndarray,
    forms: Mapping[str, Mapping[str, str]],
) -> Processor:
    cells = {name: table.cells(name, rows) for names in columns.values() for name in names}
    options = chosen_options(group.name, encoder_class(group.default).fit_processor, recipe.tabular.options)
    lenient = recipe.data.on_error != "refuse"
    try:
        made: Processor = group.fit(cells, columns, forms=forms, untyped=table.untyped, lenient=lenient, **options)
    except DataError:
        _name_bad_cell(columns, cells, table, rows, forms)
        raise
    return made


def _name_bad_cell(
    columns: Mapping[str, list[str]],
    cells: Mapping[str, list[Any]],
    table: Table,
    rows: np.ndarray,
    forms: Mapping[str, Mapping[str, str]],
) -> None:
    """Raise with the row of the first cell that is not what its column is."""
    for kind, names in columns.items():
        for name in names:
            for row, value in zip(rows, cells[name], strict=True):
                try:
                    MODALITIES[kind].read(name, value, forms.get(name))
                except DataError as error:
                    advice = (
                        f"or say what the column is with --type {name}=text (or category), or leave such cells out "
                        "with --on-error missing (skip leaves out their rows)"
                    )
                    raise DataError(f"{table.source}: row {row + 1}: {error}, {advice}") from error


def build_model(
    recipe: Recipe,
    inputs: Mapping[str, InputSpec],
    targets: Targets,
    configs: Mapping[str, dict[str, Any]] | None = None,
    ready: Mapping[str, Any] | None = None,
) -> MultimodalModel:
    """Encoders, fusion and head.

    Args:
        recipe: names and options.
        inputs: processors by input.
        targets: what to predict.
        configs: of a saved run, the configuration of each transformers encoder; then no pretrained weights are
            loaded, because the run's own follow.
        ready: input → encoder that is made already.

    Raises:
        RecipeError: a name or option is unknown.
        PlaitError: pretrained weights are out of reach.
    """
    if recipe.fusion.method == ENSEMBLE:  # several models that are used as one
        return cast(MultimodalModel, build_ensemble(recipe, inputs, targets, configs, _encoder, build_model))
    made = ready or {}
    encoders = {n: made[n] if n in made else _encoder(recipe, n, spec, configs) for n, spec in inputs.items()}
    in_dims = {name: encoder.out_dim for name, encoder in encoders.items()}
    if not targets.joint:
        asked = options_for(recipe.task[0], targets.pairs.kind)
        fusion, head = build_shared_space(recipe, asked, encoders, targets)
    else:
        fusion, head = _fusion_and_head(recipe, encoders, targets, saved=configs is not None)
    auxiliary = {}
    if recipe.train.extra_heads and recipe.fusion.method not in FITTED and getattr(fusion, "stage", "") != "late":
        auxiliary = {name: PredictHead(dim, targets.out_dims, recipe.head.hidden) for name, dim in in_dims.items()}
    return MultimodalModel(encoders, fusion, head, recipe.fusion.missing_token, auxiliary)


def _fusion_and_head(
    recipe: Recipe, encoders: Mapping[str, Any], targets: Targets, saved: bool = False
) -> tuple[Any, Any]:
    method, options, out_dims = recipe.fusion.method, recipe.fusion.options, targets.out_dims
    in_dims = {name: encoder.out_dim for name, encoder in encoders.items()}
    if method == PROMPT:
        assert targets.writer is not None  # prompted has seen to it
        words = (targets.writer.language_model or {}).get("words", [])
        fusion = construct("fusion", method, PromptFusion, options, (), in_dims, words)
        return fusion, build_writer(recipe, targets, encoders, saved)
    if method in FITTED:
        return construct("fusion", method, RawFusion, options, (), in_dims), fitted_head(method, in_dims, out_dims)
    check_times(recipe)
    if targets.only is not None and targets.only.own_fusion:
        return build_lags(recipe, in_dims, targets)
    if method not in FUSIONS:
        raise RecipeError(unknown("fusion", method, [*FUSIONS, *FITTED, PROMPT, ENSEMBLE]))
    made: Any = FUSIONS[method]
    if targets.writer is not None:
        fusion = on_clock(recipe, construct("fusion", method, made, options, (), in_dims, recipe.fusion.dim), encoders)
        return fusion, build_writer(recipe, targets, saved=saved)
    if getattr(made, "stage", "") == "late":  # it answers by itself
        options = {"hidden": recipe.head.hidden, "dropout": recipe.head.dropout, **options}
        width = sum(out_dims.values())
        fusion = construct("fusion", method, made, options, (), in_dims, width, spaces=targets.spaces)
        return fusion, SplitHead(out_dims)
    fusion = on_clock(recipe, construct("fusion", method, made, options, (), in_dims, recipe.fusion.dim), encoders)
    return fusion, build_head(recipe, encoders, fusion, targets)


def _encoder(recipe: Recipe, name: str, spec: InputSpec, configs: Mapping[str, Any] | None) -> Any:
    method = recipe.fusion.method
    fitted = method in FITTED
    if fitted and spec.is_group:
        return fitted_columns(method, spec.processor)
    trains = encoder_name(recipe.inputs[name]) if fitted and configs is None else ("", "")
    if trains[0] == "scratch" and recipe.inputs[name].encoder not in {m.counted for m in MODALITIES.values()} - {None}:
        raise RecipeError(
            f"fusion.method={method}: it reads what pretrained encoders say, and inputs.{name} has none; name one "
            f"with inputs.{name}.encoder=packaged:minilm (text), packaged:efficientnet-lite0 (images), hf:NAME or "
            "timm:NAME"
        )
    if spec.is_group:
        group = GROUPS[spec.modality]
        frozen, tune_last, options, full_name = (
            recipe.tabular.frozen,
            None,
            recipe.tabular.options,
            recipe.tabular.encoder,
        )
        known = [name for name in ENCODERS if encoder_class(name).modality == group.name]
        if full_name not in known:
            raise RecipeError(unknown(f"{group.name} encoder", full_name, known))
        used = processor_options(encoder_class(full_name).fit_processor)
        if len(spec.columns) > WIDE:
            options.setdefault("layers", 0)
        made = construct(group.name, full_name, ENCODERS[full_name], options, used, spec.processor)
    else:
        column = recipe.inputs[name]
        frozen, tune_last, options = column.frozen, column.tune_last, column.options
        if fitted and is_framed(column, configs and configs.get(name)):
            options.setdefault("temporal", "mean")  # there is nothing that could train it
        made = build_column_encoder(name, column, spec, options, None if configs is None else configs.get(name, {}))
    set_trainable(made, frozen or fitted, None if fitted else tune_last)
    return made


__getattr__ = former_names(__name__, {"build_targets": "plait.build.tasks.build_targets"})
