"""Recipe → the sides of a row, and the space that retrieval aligns them in."""

from collections.abc import Mapping
from typing import Any

from plait.alignment import SharedSpace
from plait.build.options import construct
from plait.heads import EmbedHead
from plait.modalities import GROUPS, MODALITIES, Group
from plait.recipe import InputRecipe, Recipe
from plait.tasks import Targets

START = {"info_nce": (0.07, 0.0), "sigmoid": (0.1, -10.0), "triplet": (1.0, 0.0)}  # initial temperature and bias
ONLY_WITH = {"hardness": "info_nce", "margin": "triplet"}


def sides_of(recipe: Recipe) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Input → the columns that it reads, and input → modality; all columns of a group are one side together."""
    sides = {name: [spec.reads(name)] for name, spec in recipe.inputs.items() if not is_grouped(spec)}
    modalities = {name: str(recipe.inputs[name].modality) for name in sides}
    for group in GROUPS.values():
        columns = [name for names in members_of(recipe, group).values() for name in names]
        if columns:
            sides[group_name(recipe, group)], modalities[group_name(recipe, group)] = columns, group.name
    return sides, modalities


def is_grouped(spec: InputRecipe) -> bool:
    """Whether a column shares its input with others."""
    return spec.modality in MODALITIES and MODALITIES[spec.modality].group is not None


def members_of(recipe: Recipe, group: Group) -> dict[str, list[str]]:
    """The columns of a group's input, by modality."""
    return {kind: [name for name, spec in recipe.inputs.items() if spec.modality == kind] for kind in group.members}


def group_name(recipe: Recipe, group: Group) -> str:
    """The name of the input that a group's columns share."""
    taken = {name for name, spec in recipe.inputs.items() if not is_grouped(spec)}
    return group.name if group.name not in taken else f"{group.name} columns"


def build_shared_space(
    recipe: Recipe, asked: Mapping[str, Any], encoders: Mapping[str, Any], targets: Targets
) -> tuple[SharedSpace, EmbedHead]:
    """A projection for each input, and the head that scales their outputs.

    Without projections, the head begins with the scale and bias that a pair of pretrained encoders was trained with.

    Args:
        recipe: its fusion's options are those of the space.
        asked: options of the task, `loss` and `temperature` among them.
        encoders: of the inputs.
        targets: the one task.
    """
    name = targets.names[0]
    in_dims = {name: encoder.out_dim for name, encoder in encoders.items()}
    temperature, bias = START[asked["loss"]]
    options = recipe.fusion.options
    similarities = [getattr(encoder, "similarity", None) for encoder in encoders.values()]
    if options.get("hidden", 0) is None and similarities[0] is not None:
        temperature, bias = 1 / similarities[0].scale, similarities[0].bias
    space = construct("fusion", "shared_space", SharedSpace, options, (), in_dims, recipe.fusion.dim)
    return space, EmbedHead(name, list(in_dims), asked["temperature"] or temperature, bias, asked["loss"] != "triplet")
