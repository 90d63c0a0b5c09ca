"""Training that starts from a former run's vocabularies and weights, as far as they fit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from plait.data.batches import InputSpec
from plait.errors import RecipeError, RunError
from plait.model import MultimodalModel
from plait.runs.folder import RunFolder
from plait.tasks import Targets
from plait.training.checkpoint import load_tensors


def adopt_processors(
    start: str, inputs: Mapping[str, InputSpec], targets: Targets
) -> tuple[dict[str, InputSpec], Targets]:
    """New inputs and targets, with the former run's processors and tokens wherever it has them.

    Raises:
        RunError: there is no such run.
    """
    _, _, former_inputs, former_targets, _ = RunFolder(Path(start).expanduser()).read_setup()
    for name, task in targets.tasks.items():
        if name in former_targets.tasks:
            targets = targets.with_task(name, task.adopt(former_targets.tasks[name]))
    adopted = {
        name: replace(spec, processor=former_inputs[name].processor)
        if name in former_inputs and type(former_inputs[name].processor) is type(spec.processor)
        else spec
        for name, spec in inputs.items()
    }
    return adopted, targets


def load_weights(start: str, model: MultimodalModel) -> str:
    """Copy the former run's weights into a model wherever name and shape agree; returns a line with how many did.

    A layer with adapters keeps its weights under `base_layer`; these count as the layer's own.

    Raises:
        RunError: the run is unfinished or damaged.
        RecipeError: nothing of it fits.
    """
    run = RunFolder(Path(start).expanduser())
    if not run.weights.exists():
        raise RunError(f"train.start={start}: the run is not finished; continue it with: plait train --resume {start}")
    former_state = load_tensors(run.weights)[0]
    state = model.state_dict()
    fitting = {}
    for name, tensor in state.items():
        before = former_state.get(name, former_state.get(name.replace(".base_layer", "")))
        if before is not None and before.shape == tensor.shape:
            fitting[name] = before.to(tensor.dtype)
    if not fitting:
        raise RecipeError(f"train.start={start}: no weight of that run has a name and shape of this model")
    model.load_state_dict(fitting, strict=False)
    return f"weights from {start}: {len(fitting):,} of {len(state):,} tensors"
