"""Recipe → tasks about what belongs to what, and the space that retrieval aligns modalities in."""

from collections.abc import Mapping
from typing import Any

from plait.alignment import SharedSpace
from plait.build.options import construct
from plait.errors import RecipeError
from plait.heads import EmbedHead
from plait.modalities import GROUPS, MODALITIES, Group
from plait.recipe import InputRecipe, Recipe, TaskRecipe
from plait.tasks import Matching, Retrieval, Targets

PAIR_NAMES = {"retrieval": "pairs", "matching": "match"}
START = {"info_nce": (0.07, 0.0), "sigmoid": (0.1, -10.0), "triplet": (1.0, 0.0)}  # temperature and bias to begin with
OPTIONS = {
    "classification": {"class_weights", "label_smoothing", "weight", "top_classes"},
    "multilabel": {"class_weights", "weight"},
    "regression": {"weight"},
    "matching": {"anchor", "negatives"},
    "generation": {"max_length", "texts", "references", "answer_types", "label_smoothing"},
    "retrieval": {"anchor", "loss", "temperature", "hardness", "margin"},
}
ONLY_WITH = {"hardness": "info_nce", "margin": "triplet"}


def check_task_options(recipe: Recipe) -> None:
    """Refuse tasks that contradict themselves or each other.

    Raises:
        RecipeError: a target is absent or too much, or a task about pairs is not alone.
    """
    twice = next((name for name in recipe.targets if recipe.targets.count(name) > 1), None)
    if twice is not None:
        raise RecipeError(f"task: {twice!r} is a target twice; one model answers it once")
    for task in recipe.task:
        if task.type == "retrieval" and task.target is not None:
            raise RecipeError(
                f"retrieval has no target, it learns what stands in one row; leave {task.target!r} out, or predict it "
                "with another type of task"
            )
        if task.target is None and task.type not in PAIR_NAMES:
            raise RecipeError("task.target is missing: name the column to predict")
    if recipe.pairs is not None:
        _check_pairs(recipe, recipe.pairs)


def _check_pairs(recipe: Recipe, task: TaskRecipe) -> None:
    if len(recipe.task) > 1:
        raise RecipeError(f"{task.type} is a run's only task; train the others in a run of their own")
    for name in ("auxiliary", "gradient_modulation", "gradient_blending"):
        if task.type == "retrieval" and getattr(recipe.train, name):
            raise RecipeError(f"train.{name} balances modalities that answer together; in retrieval each has its own")
    if task.type == "retrieval" and recipe.fusion.method not in ("concat", "shared_space"):
        raise RecipeError(
            f"fusion.method={recipe.fusion.method}: in retrieval every input gets a vector of its own and nothing is "
            "fused; leave the method out, or train a matching task"
        )
    if task.type == "matching" and recipe.fusion.method == "boosted":
        raise RecipeError("fusion.method=boosted predicts columns; a matching task needs another fusion")


def sides_of(recipe: Recipe) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Input → the columns that it reads, and input → modality; all numbers, categories and dates are one side."""
    sides = {name: [name] for name, spec in recipe.inputs.items() if not is_grouped(spec)}
    modalities = {name: str(recipe.inputs[name].modality) for name in sides}
    for group in GROUPS.values():
        columns = [name for names in members_of(recipe, group).values() for name in names]
        if columns:
            sides[group_name(recipe, group)], modalities[group_name(recipe, group)] = columns, group.name
    return sides, modalities


def is_grouped(spec: InputRecipe) -> bool:
    """Whether a column shares its input with others."""
    return spec.modality in MODALITIES and MODALITIES[spec.modality].group is not None


def anchors_pairs(modality: str) -> bool:
    """Whether pairs are aligned with inputs of a modality."""
    return modality in MODALITIES and MODALITIES[modality].anchors


def members_of(recipe: Recipe, group: Group) -> dict[str, list[str]]:
    """The columns of a group's one input, by modality."""
    return {kind: [name for name, spec in recipe.inputs.items() if spec.modality == kind] for kind in group.members}


def group_name(recipe: Recipe, group: Group) -> str:
    """What the one input of a group's columns is called."""
    taken = {name for name, spec in recipe.inputs.items() if not is_grouped(spec)}
    return group.name if group.name not in taken else f"{group.name} columns"


def build_pairs(recipe: Recipe, spec: TaskRecipe) -> Matching | Retrieval:
    """The task of a recipe that asks what belongs to what.

    Raises:
        RecipeError: there is one input only, or the anchor is none.
    """
    sides, modalities = sides_of(recipe)
    if spec.type == "retrieval":
        return Retrieval(sides, modalities, spec.anchor, spec.loss, spec.hardness, spec.margin)
    anchors = [name for name, modality in modalities.items() if anchors_pairs(modality)]
    anchor = spec.anchor or (anchors[0] if anchors else None)
    return Matching(sides, anchor, spec.target, spec.negatives if spec.target is None else "none")


def build_shared_space(recipe: Recipe, encoders: Mapping[str, Any], targets: Targets) -> tuple[SharedSpace, EmbedHead]:
    """A projection an input, and the head that scales what they give; without projections, as the encoders learned."""
    name, spec = targets.names[0], recipe.task[0]
    in_dims = {name: encoder.out_dim for name, encoder in encoders.items()}
    temperature, bias = START[spec.loss]
    options = recipe.fusion.options
    similarities = [getattr(encoder, "similarity", None) for encoder in encoders.values()]
    if options.get("hidden", 0) is None and similarities[0] is not None:
        temperature, bias = 1 / similarities[0].scale, similarities[0].bias
    space = construct("fusion", "shared_space", SharedSpace, options, (), in_dims, recipe.fusion.dim)
    return space, EmbedHead(name, list(in_dims), spec.temperature or temperature, bias, spec.loss != "triplet")
