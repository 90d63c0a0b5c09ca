"""Training that starts from a former run: its vocabularies and its weights, as far as they fit."""

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
    """The inputs with the former run's processors where it has them; texts that are written use its tokens too.

    Gives new inputs and targets.

    Raises:
        RunError: there is no such run.
    """
    _, _, before, known, _ = RunFolder(Path(start).expanduser()).read_setup()
    for name, task in targets.tasks.items():
        if name in known.tasks:
            targets = targets.with_task(name, task.adopt(known.tasks[name]))
    adopted = {
        name: replace(spec, processor=before[name].processor)
        if name in before and type(before[name].processor) is type(spec.processor)
        else spec
        for name, spec in inputs.items()
    }
    return adopted, targets


def load_weights(start: str, model: MultimodalModel) -> str:
    """Copy the former run's weights into a model wherever name and shape agree; says how many did.

    Adapters keep the weights that they were put on under a name of their own; these count as the same.

    Raises:
        RunError: the run is unfinished or damaged.
        RecipeError: nothing of it fits.
    """
    run = RunFolder(Path(start).expanduser())
    if not run.weights.exists():
        raise RunError(f"train.start={start}: the run is not finished; continue it with: plait train --resume {start}")
    held = load_tensors(run.weights)[0]
    own = model.state_dict()
    found = {}
    for name, tensor in own.items():
        before = held.get(name, held.get(name.replace(".base_layer", "")))
        if before is not None and before.shape == tensor.shape:
            found[name] = before.to(tensor.dtype)
    if not found:
        raise RecipeError(f"train.start={start}: no weight of that run has a name and shape of this model")
    model.load_state_dict(found, strict=False)
    return f"weights from {start}: {len(found):,} of {len(own):,} tensors"
