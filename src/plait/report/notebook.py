"""What a notebook shows of a trained model."""

from collections.abc import Mapping

from plait.console import as_html
from plait.data.batches import InputSpec
from plait.recipe import Recipe
from plait.runs.folder import RunFolder
from plait.tasks import Targets


def predictor_html(
    recipe: Recipe,
    inputs: Mapping[str, InputSpec],
    targets: Targets,
    metrics: Mapping[str, Mapping[str, float]],
    run: RunFolder | None,
) -> str:
    """Two tables: what is read and how, and the scores."""
    tasks = ", ".join(f"{name} ({task.kind})" for name, task in targets.tasks.items())
    rows = []
    for name, spec in inputs.items():
        chosen = recipe.inputs.get(name)
        encoder = recipe.tabular.encoder if spec.is_group else getattr(chosen, "encoder", None)
        frozen = " (frozen)" if getattr(recipe.tabular if spec.is_group else chosen, "frozen", False) else ""
        rows.append((name, spec.modality, ", ".join(spec.columns), f"{encoder or 'the default'}{frozen}"))
    where = [] if run is None else [f"run folder: {run.path}"]
    read = as_html(f"{tasks}, fused by {recipe.fusion.method}", ["input", "modality", "columns", "encoder"], rows)
    parts = list(metrics)
    names = list(dict.fromkeys(name for scores in metrics.values() for name in scores))
    cells = [(name, *(metrics[part].get(name, "") for part in parts)) for name in names]
    return read + as_html("", ["metric", *parts], cells, parts, where)
