"""What a trained model leaves in its run folder: weights, scores, answers, the report."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from plait import console
from plait.data.batches import TableSource
from plait.data.plan import BatchPlan
from plait.data.splits import draw
from plait.evaluation.modalities import ModalityReport
from plait.runs.baseline import baselines, describe
from plait.runs.facts import Stopwatch
from plait.runs.folder import RunFolder
from plait.runs.prepare import Prepared, plan_for
from plait.runs.summary import write_predictions
from plait.training.checkpoint import save_tensors

MOST_ABLATED = 2000  # rows, drawn at random, that are scored without each modality; a tenth where texts are generated

Outputs = Callable[[TableSource, np.ndarray, BatchPlan], Mapping[str, Tensor]]
Modalities = Callable[[TableSource, np.ndarray], ModalityReport]


def finish(
    prepared: Prepared,
    run: RunFolder,
    progress: Any,
    watch: Stopwatch,
    outputs_of: Outputs,
    modalities_of: Modalities,
    write_report: Callable[..., None],
    verbose: bool,
) -> dict[str, dict[str, float]]:
    """Score the best weights and write the results into the run folder.

    Returns the metrics of each part, and under `baseline` what guesses without a model reach.

    Args:
        prepared: data, tasks and the trained model.
        run: the folder.
        progress: what training recorded.
        watch: seconds of each stage.
        outputs_of: (source, rows, plan) → raw outputs.
        modalities_of: (source, rows) → what each modality contributes.
        write_report: draws the page, `plait.report.run_report.write_report`.
        verbose: print the scores.
    """
    targets = prepared.targets
    prepared.model.eval()
    run.write_json("processors/targets.json", targets.to_json())  # with their temperatures
    save_tensors(prepared.model.state_dict(), run.weights)

    metrics: dict[str, dict[str, float]] = {}
    scored: dict[str, Any] = {}
    for name in ("val", "test"):
        if name in prepared.parts:
            part = prepared.parts[name]
            outputs = outputs_of(part.source, part.rows, plan_for(prepared, name, shuffle=False))
            predictions = targets.predictions(outputs)
            metrics[name] = targets.metrics(predictions, part.truth())
            scored[name] = (part, outputs, predictions)

    # Modalities and guesses are compared on one part only, the test rows where there are any.
    reported = "test" if "test" in scored else "val"
    modalities = None
    if reported in scored and len(prepared.inputs) > 1 and targets.joint:
        part = scored[reported][0]
        most = MOST_ABLATED // (10 if targets.slow else 1)
        modalities = modalities_of(part.source, draw(part.rows, most, prepared.recipe.train.seed))
        run.write_json("modalities.json", modalities.to_json())
    watch.lap("evaluation")

    # Guesses get a share of the time that training took.
    spent = watch.seconds.get("training", 0.0)
    metric = targets.choose_score(prepared.recipe.train.metric)[0]  # as the guesses are scored
    guesses = (
        baselines(prepared, reported, spent) if reported in scored and prepared.recipe.train.baseline == "auto" else {}
    )
    watch.lap("baseline")

    # The report comes last: it shows all of the above.
    baseline_line = describe(guesses, f"{reported} {metric}", console.number) if guesses else ""
    run.write_json("metrics.json", metrics | ({"baseline": guesses} if guesses else {}))
    write_predictions(run, targets, scored)
    write_report(run, prepared, progress, metrics, scored, watch.seconds, modalities, baseline_line)
    if verbose:
        for name, values in metrics.items():
            console.say(f"{name}: " + "  ".join(f"{key} {console.number(value)}" for key, value in values.items()))
        if baseline_line:
            console.say(baseline_line)
        console.say(f"report: {run.path / 'report.html'}")
    return metrics | ({"baseline": guesses} if guesses else {})
