"""Recipe → what depends on time: the fusion's clock, the head over steps, the lags of two inputs."""

from collections.abc import Mapping
from typing import Any

from plait.alignment import ClockFusion, LagFusion
from plait.build.options import construct
from plait.errors import RecipeError, unknown
from plait.heads import EventsHead, PredictHead, SplitHead, TagHead, TogetherHead
from plait.heads.events import RARE
from plait.modalities import MODALITIES
from plait.recipe import Recipe
from plait.tasks import Targets, Task


def on_clock(recipe: Recipe, fusion: Any, encoders: Mapping[str, Any]) -> Any:
    """The fusion at each tick of the recipe's clock, if it has one and an input that has a time."""
    timed = [name for name, encoder in encoders.items() if is_timed(encoder.modality)]
    if recipe.fusion.clock is None or not timed:
        return fusion
    return ClockFusion(fusion, timed, recipe.fusion.dim, recipe.fusion.clock)


def check_times(recipe: Recipe) -> None:
    """Refuse to compare places in texts with seconds.

    Raises:
        RecipeError: the fusion's attention is limited in time, and an input says where its letters stand.
    """
    letters = [name for name, spec in recipe.inputs.items() if spec.options.get("offsets")]
    if recipe.fusion.options.get("within") is not None and letters:
        raise RecipeError(
            f"fusion.within: inputs.{letters[0]}.offsets says where letters stand, which are no seconds; leave one out"
        )


def is_timed(modality: str) -> bool:
    """Whether the tokens of a modality lie in seconds."""
    return modality in MODALITIES and MODALITIES[modality].timed


def timed_inputs(encoders: Mapping[str, Any]) -> list[str]:
    """The inputs whose tokens lie in seconds."""
    return [name for name, encoder in encoders.items() if is_timed(encoder.modality)]


def build_head(recipe: Recipe, encoders: Mapping[str, Any], fusion: Any, targets: Targets) -> Any:
    """What answers all targets: those of a row from the fused vector, others from each token or step.

    Raises:
        RecipeError: it isn't clear which steps answer, or there are none.
    """
    shape = (recipe.head.hidden, recipe.head.dropout)
    width = recipe.fusion.dim
    of_rows = {name: task.out_dim for name, task in targets.tasks.items() if not task.ragged}
    heads: list[Any] = [PredictHead(width, of_rows, *shape)] if of_rows else []
    for name, task in targets.tasks.items():
        if task.stepwise:
            reads = _steps_of(task, encoders, isinstance(fusion, ClockFusion))
            tokens = width if reads is None else encoders[reads].out_dim
            heads.append(EventsHead(TagHead(name, reads, tokens, width, task.out_dim, *shape, prior=RARE)))
        elif task.reads is not None:
            if task.reads not in encoders:
                raise RecipeError(
                    f"task {task.kind} reads {task.reads}, which is none of the inputs: {', '.join(encoders)}"
                )
            heads.append(TagHead(name, task.reads, encoders[task.reads].out_dim, width, task.out_dim, *shape))
    return heads[0] if len(heads) == 1 else TogetherHead(heads)


def _steps_of(task: Task, encoders: Mapping[str, Any], has_clock: bool) -> str | None:
    """The input whose steps answer; None for the ticks of the fusion's clock."""
    timed = timed_inputs(encoders)
    if not timed:
        raise RecipeError(
            f"{task.kind} lie in seconds, and none of the inputs ({', '.join(encoders)}) has a time; they need a "
            "video, a sound or a series"
        )
    if task.reads is not None and task.reads not in timed:
        raise RecipeError(f"task.input: {unknown('input with a time', task.reads, timed)}")
    if has_clock:
        if task.reads is not None:
            raise RecipeError(
                f"the ticks of fusion.clock answer, all inputs together; leave out task.input={task.reads}"
            )
        return None
    if task.reads is None and len(timed) > 1:
        raise RecipeError(
            f"{', '.join(timed)} have a time: with fusion.clock=SECONDS they answer together at each tick, with "
            f"task.input={timed[0]} one of them does at its own steps"
        )
    return task.reads or timed[0]


def build_lags(recipe: Recipe, in_dims: Mapping[str, int], targets: Targets) -> tuple[Any, Any]:
    """The lags of two inputs, which answer by themselves."""
    task: Any = targets.only
    shape = (in_dims, task.between, recipe.fusion.dim, task.clock, task.lags)
    fusion = construct("fusion", task.kind, LagFusion, recipe.fusion.options, (), *shape)
    return fusion, SplitHead(targets.out_dims)
