"""The calibration of a run's probabilities, on validation rows that did not choose its weights."""

import numpy as np
import torch

from plait.build.fitted import CLOSED_FORM
from plait.data.plan import BatchPlan
from plait.data.splits import draw
from plait.metrics import METRICS
from plait.runs.prepare import Part, Prepared, workers_of
from plait.training.calibration import fit_temperature
from plait.training.evaluate import outputs_of

FEWEST = 200  # rows that a temperature is fitted to, and as many that choose the weights
BATCH = 256


def calibration_rows(prepared: Prepared) -> np.ndarray:
    """Validation rows that are kept from choosing the best epoch: half of them where there are enough, else none.

    Closed forms choose nothing by validation rows, so that all of these serve.
    """
    part, settings = prepared.parts.get("val"), prepared.recipe.train
    none = np.empty(0, dtype=np.int64)
    if part is None or settings.calibrate == "off" or not _names(prepared):
        return none
    if prepared.recipe.fusion.method in CLOSED_FORM:
        return part.rows if len(part.rows) >= FEWEST else none
    return none if len(part.rows) < 2 * FEWEST else draw(part.rows, len(part.rows) // 2, settings.seed)


def choosing(prepared: Prepared) -> Part | None:
    """The validation rows that choose the weights."""
    part, kept = prepared.parts.get("val"), calibration_rows(prepared)
    if part is None or prepared.recipe.fusion.method in CLOSED_FORM:
        return part
    return Part(part.source, np.setdiff1d(part.rows, kept))


def calibrate(prepared: Prepared, device: torch.device) -> None:
    """Fit the temperature of each target with classes; `prepared.targets` keeps it, and a note says what it did."""
    rows = calibration_rows(prepared)
    if not len(rows):
        return
    source = prepared.parts["val"].source
    plan = BatchPlan(rows, BATCH, shuffle=False)
    precision = prepared.recipe.train.precision.replace("auto", "float32")
    outputs = outputs_of(prepared.model, source, plan, precision, device, workers_of(prepared.recipe))
    for name in _names(prepared):
        task, truth = prepared.targets.tasks[name], source.targets[name].numpy()[rows]
        usable = ~task.unusable(truth)
        assert task.space is not None  # `_names` has seen to it
        logits = outputs[name][torch.from_numpy(usable)]
        temperature = fit_temperature(logits, truth[usable], task.space.problems())
        cooler = task.with_temperature(temperature)  # type: ignore[attr-defined]
        prepared.targets = prepared.targets.with_task(name, cooler)
        line = f"{name}: probabilities at temperature {temperature:.2f}, fitted to {usable.sum():,} validation rows"
        if truth.ndim == 1:
            error = METRICS["ece"].function
            before, after = (error(truth[usable], one.predictions(logits)) for one in (task, cooler))
            line += f" (calibration error {before:.3f} before, {after:.3f} after)"
        prepared.notes.append(line)


def _names(prepared: Prepared) -> list[str]:
    tasks = prepared.targets.tasks.items()
    return [name for name, task in tasks if hasattr(task, "with_temperature") and not task.ragged]
