"""Methods under `fusion.method` that are fitted to what frozen encoders say, and need no training loop."""

from collections.abc import Mapping
from typing import Any

from plait.encoders import ENCODERS, encoder_class
from plait.encoders.tabular_columns import ScaledColumns
from plait.encoders.tabular_raw import RawTabular
from plait.heads import CLOSED_FORM, TreeHead
from plait.modalities import MODALITIES
from plait.recipe import InputRecipe, Recipe

BOOSTED = "boosted"
FITTED = (BOOSTED, *CLOSED_FORM)


def fitted_head(method: str, in_dims: Mapping[str, int], out_dims: Mapping[str, int]) -> Any:
    """The head of such a method, not fitted yet."""
    return TreeHead(out_dims, sum(in_dims.values())) if method == BOOSTED else CLOSED_FORM[method](in_dims, out_dims)


def fitted_columns(method: str, processor: Any) -> Any:
    """What reads numbers and categories: trees take them as they are, linear models and kernels on one scale."""
    return RawTabular(processor) if method == BOOSTED else ScaledColumns(processor)


def countable(spec: InputRecipe, over_named: bool = False) -> str | None:
    """The encoder of counts that a column may have where its method has no loop; None where there is no such thing.

    Args:
        spec: of the column.
        over_named: also in place of an encoder from scratch that the recipe names, as networks have it.
    """
    modality = MODALITIES.get(spec.modality or "")
    if spec.encoder in ENCODERS and getattr(encoder_class(spec.encoder), "fixed", False):
        return spec.encoder  # named, and there is nothing to train
    if modality is None or modality.counted is None or (spec.frozen and spec.encoder != modality.counted):
        return None
    named = spec.encoder not in (None, modality.counted)
    from_scratch = str(spec.encoder).startswith("scratch:")
    return None if named and not (over_named and from_scratch) else modality.counted


def counted(recipe: Recipe, over_named: bool = False) -> Recipe:
    """The recipe with words counted, in columns whose encoder would have to train and whose method can't train it."""
    if recipe.fusion.method not in FITTED:
        return recipe
    inputs = dict(recipe.inputs)
    for name, spec in recipe.inputs.items():
        encoder = countable(spec, over_named)
        if encoder is not None and spec.encoder != encoder:
            inputs[name] = InputRecipe(column=spec.column, modality=spec.modality, encoder=encoder)
    return recipe.model_copy(update={"inputs": inputs})
