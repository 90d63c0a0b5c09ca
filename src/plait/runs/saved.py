"""A finished run, read from its folder."""

from pathlib import Path

from plait.build.model import build_model
from plait.data.batches import InputSpec
from plait.data.schema import Schema
from plait.errors import RunError
from plait.model import MultimodalModel
from plait.recipe import Recipe
from plait.runs.folder import RunFolder
from plait.tasks import Targets
from plait.training.checkpoint import load_state, load_tensors

Scores = dict[str, dict[str, float]]


def read_run(
    folder: str | Path, allow_outside: bool = False
) -> tuple[RunFolder, tuple[Recipe, Schema, dict[str, InputSpec], Targets, MultimodalModel], Scores]:
    """The folder, what it holds, and its scores by part. Nothing in it is executed.

    Raises:
        RunError: it is not a run, or is damaged, unfinished, or from a newer plait.
    """
    if not isinstance(folder, str | Path):
        raise RunError(f"expected the path of a run folder, got {type(folder).__name__}")
    run = RunFolder(Path(folder).expanduser())
    recipe, schema, inputs, targets, configs = run.read_setup(allow_outside)
    if not run.weights.exists():
        raise RunError(f"{run.path}: the run is not finished; continue it with: plait train --resume {run.path}")
    model = build_model(recipe, inputs, targets, configs)
    load_state(model, load_tensors(run.weights)[0], run.weights)
    scored = (run.path / "metrics.json").exists()
    return run, (recipe, schema, inputs, targets, model), run.read_json("metrics.json", Scores) if scored else {}
