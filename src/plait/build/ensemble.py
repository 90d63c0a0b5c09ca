"""Several models of one recipe that answer together, as one model of a run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge, Gt, Le, Len
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from plait.build.pairs import is_grouped
from plait.errors import RecipeError
from plait.layers.spaces import Space, Temperature
from plait.model import MultimodalModel
from plait.recipe import Open, Recipe
from plait.tasks import Targets
from plait.types import Batch, Input, Output, Tokens

ENSEMBLE = "ensemble"
MOST = 100  # members
SHARED = {"dim", "clock", "missing_token"}  # settings of every fusion


class EnsembleModel(nn.Module):
    """The weighted mean of what several models answer, each at its own temperature.

    Frozen encoders are shared: they run once a value, and are kept once.

    Args:
        members: models of the same targets.
        shared: frozen encoders that members have in common.
        weights, temperatures: of each member.
        spaces: target → the space that its answers are mixed in.
    """

    def __init__(
        self,
        members: list[MultimodalModel],
        shared: Mapping[str, Any],
        weights: list[float],
        temperatures: list[float],
        spaces: Mapping[str, Space],
    ) -> None:
        super().__init__()
        others = {name: encoder for member in reversed(members) for name, encoder in member.encoders.items()}
        self.reader = MultimodalModel({**others, **shared}, nn.Identity(), nn.Identity())
        self.members = nn.ModuleList(members)
        self.shared, self.spaces, self.temperatures = list(shared), dict(spaces), list(temperatures)
        self.weights = [weight / sum(weights) for weight in weights]
        # The reader's encoders are the members' own; they are kept under the members' names, the shared ones once.
        kept = {id(module) for module in self.members.modules()} - _inside(shared)
        self._twice = [
            f"{name}."
            for name, module in self.named_modules(remove_duplicate=False)
            if (name.startswith("reader.") and id(module) in kept)
            or (name.startswith("members.") and id(module) in _inside(shared))
        ]
        self.register_state_dict_post_hook(_drop)
        self.register_load_state_dict_post_hook(_forgive)

    encoders = property(lambda self: self.reader.encoders, doc="Input → encoder; of several, the first member's.")
    missing_tokens = property(lambda self: self.reader.missing_tokens)
    fusion = property(lambda self: self.reader.fusion)
    head = property(lambda self: self.reader.head)
    device = property(lambda self: self.reader.device)

    def encode(self, name: str, values: Input, rows: int) -> Tokens:
        """One modality's Tokens; see `MultimodalModel.encode`."""
        return self.reader.encode(name, values, rows)

    def forward(self, batch: Batch) -> Output:
        read = {name: self._read(name, batch) for name in self.shared if name in batch.inputs}
        inner = replace(batch, inputs={**batch.inputs, **read})
        outputs = [member(inner) for member in self.members]
        predictions = {name: self._mixed(name, [one.predictions[name] for one in outputs]) for name in self.spaces}
        return Output(predictions, torch.cat([one.pooled for one in outputs], dim=1), {}, {})

    def _mixed(self, name: str, logits: list[Tensor]) -> Tensor:
        at = [one.float() / warm for one, warm in zip(logits, self.temperatures, strict=True)]
        weights = torch.tensor(self.weights, device=at[0].device).expand(len(at[0]), -1)
        return self.spaces[name].mix(torch.stack(at, dim=1), weights)

    def _read(self, name: str, batch: Batch) -> Input:
        """A shared encoder's outputs, as if they had come from the store."""
        values = batch.inputs[name]
        if values.empty or "stored" in values.features:
            return values
        tokens = self.reader.encode(name, values, len(batch))
        x = torch.cat(tokens.layers, dim=2) if tokens.layers else tokens.x
        where = {} if tokens.where is None else {"stored_where": tokens.where}
        return Input({"stored": x, "stored_mask": tokens.mask, **where}, items=tokens.items)


def _inside(encoders: Mapping[str, Any]) -> set[int]:
    return {id(module) for encoder in encoders.values() for module in encoder.modules()}


def _drop(model: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    twice = tuple(f"{prefix}{name}" for name in cast(EnsembleModel, model)._twice)
    for key in [key for key in state if key.startswith(twice)] if twice else ():
        del state[key]


def _forgive(model: nn.Module, keys: Any) -> None:
    twice = tuple(cast(EnsembleModel, model)._twice)
    keys.missing_keys[:] = [key for key in keys.missing_keys if not (twice and key.startswith(twice))]


class MemberRecipe(Open):
    """A model of an ensemble: its fusion, whose options are the other keys, its inputs, and how it is mixed in."""

    method: str
    inputs: list[str] | None = None
    weight: Annotated[float, Gt(0), Le(1e6)] = 1.0
    temperature: Temperature = 1.0
    epochs: Annotated[int, Ge(1)] | None = None


def members_of(recipe: Recipe) -> list[MemberRecipe]:
    """The members that a recipe lists, which may be a stranger's.

    Raises:
        RecipeError: there are none or too many, or one is none.
    """
    listed = recipe.fusion.options.get("members")
    try:
        members = TypeAdapter(Annotated[list[MemberRecipe], Len(1, MOST)]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where or 'members'}: {first['msg']}"[:150]
        raise RecipeError(
            "fusion.method=ensemble: expected fusion.members, a list of {method, weight, temperature, inputs, epochs} "
            f"as plait compare --save-best writes it; {problem}"
        ) from error
    return members


def member_recipe(recipe: Recipe, member: MemberRecipe) -> Recipe:
    """The recipe of one member: its inputs, its fusion, and how long it trains."""
    values = recipe.model_dump(mode="json", exclude_defaults=True)
    fusion = recipe.fusion
    shared = fusion.model_dump(include=SHARED, exclude_defaults=True)
    values["fusion"] = {**shared, "method": member.method, **member.options}
    if member.inputs:
        values["inputs"] = {n: spec for n, spec in values["inputs"].items() if n in member.inputs}
    if member.epochs:
        values["train"] = {**values.get("train", {}), "epochs": member.epochs, "schedule": "wsd"}
    return Recipe.parse(values)


def build_ensemble(
    recipe: Recipe,
    inputs: Mapping[str, Any],
    targets: Targets,
    configs: Mapping[str, Any] | None,
    build_encoder: Callable[..., Any],
    build: Callable[..., MultimodalModel],
) -> EnsembleModel:
    """The members, each built as a run of its own would be, over shared frozen encoders.

    Raises:
        RecipeError: see `members_of`; or a target has no distribution that answers could be mixed in.
    """
    if any(task.space is None for task in targets.tasks.values()):
        raise RecipeError("fusion.method=ensemble: this task's answers have no distribution that could be mixed")
    plain = member_recipe(recipe, MemberRecipe(method="concat"))
    shared = {
        name: build_encoder(plain, name, inputs[name], configs)
        for name, spec in recipe.inputs.items()
        if name in inputs and spec.frozen and not is_grouped(spec)
    }
    members, listed = [], members_of(recipe)
    for member in listed:
        of_member = member_recipe(recipe, member)
        own = {n: s for n, s in inputs.items() if set(s.columns if s.is_group else [n]) & set(of_member.inputs)}
        ready = {name: encoder for name, encoder in shared.items() if name in own}
        members.append(build(of_member, own, targets, configs, ready))
    weights, temperatures = [one.weight for one in listed], [one.temperature for one in listed]
    spaces = {name: cast(Space, task.space) for name, task in targets.tasks.items()}
    return EnsembleModel(members, shared, weights, temperatures, spaces)
