"""What a run prints before it trains, and the tables that it leaves beside its weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from plait import console
from plait.files.atomic import replacing
from plait.runs.facts import parameter_rows
from plait.runs.folder import RunFolder
from plait.runs.prepare import Prepared
from plait.tasks import Targets
from plait.values import is_missing

MOST_COLUMNS = 40  # that are listed in the terminal


def announce(prepared: Prepared, run: RunFolder) -> None:
    """Print how columns were typed, what loads from where, and which parameters train."""
    rows = [(column.name, column.modality, column.reason) for column in prepared.schema.values()]
    console.show(console.table("", ["column", "type", "because"], rows[:MOST_COLUMNS]))
    if len(rows) > MOST_COLUMNS:
        console.say(f"… and {len(rows) - MOST_COLUMNS:,} more columns, all in schema.json")
    for note in prepared.notes:
        console.say(note)
    for name, weights in prepared.recipe.resolved.get("weights", {}).items():
        console.say(f"{name}: {weights['name']} from {weights['source']}, sha256 {weights['sha256'][:16]}…")
    columns = ["part", "parameters", "that train"]
    console.show(console.table("", columns, parameter_rows(prepared.model), columns[1:]))
    sizes = ", ".join(f"{len(part.rows):,} {name}" for name, part in prepared.parts.items())
    console.say(f"rows: {sizes}; run folder: {run.path}")


def write_problems(run: RunFolder, problems: Sequence[Mapping[str, Any]]) -> None:
    """Write `problems.jsonl`: every row that was left out, and why; no file where none was."""
    if problems:
        lines = pd.DataFrame(problems).to_json(orient="records", lines=True, force_ascii=False)
        run.write_text("problems.jsonl", lines)


def write_predictions(run: RunFolder, targets: Targets, scored: Mapping[str, Any]) -> None:
    """Write `predictions.parquet`: part, row (from 1), the truth as in the table, answers and probabilities.

    Raises:
        RunError: it can't be written.
    """
    frames = []
    for name, (part, _, predictions) in scored.items():
        truth = {
            f"{target}_true": part.source.table.cells(target, part.rows)
            for target in targets.names
            if target in part.source.table
        }
        frames.append(pd.DataFrame({"part": name, "row": part.rows + 1, **truth, **targets.columns(predictions)}))
    if not frames:
        return
    joined = pd.concat(frames, ignore_index=True)
    for target in targets.names:  # val and test may come from files that type the target differently
        column = f"{target}_true"
        if column in joined and joined[column].dtype == object:
            joined[column] = joined[column].map(lambda value: None if is_missing(value) else str(value))
    with replacing(run.path / "predictions.parquet") as beside:
        joined.to_parquet(beside)
