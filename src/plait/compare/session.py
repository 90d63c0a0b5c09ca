"""A comparison from start to end: run, shown while it runs, stopped and resumed, written."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plait import console
from plait.build.ensemble import ENSEMBLE, MemberRecipe, member_recipe
from plait.build.fitted import FITTED
from plait.build.plugins import load_for
from plait.compare.baselines import baselines_of
from plait.compare.candidates import Candidate, candidates_of, check_fusions
from plait.compare.experiment import Experiment
from plait.compare.grouping import group_drop
from plait.compare.judging import judge
from plait.compare.result import Comparison, Row
from plait.compare.rounds import Rounds
from plait.compare.verdict import explained
from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import RunError
from plait.predictor import Predictor
from plait.recipe import Recipe
from plait.report.comparison_report import write_comparison
from plait.runs.facts import environment
from plait.runs.folder import RunFolder, claimed_folder
from plait.training.interrupt import StopRequest
from plait.training.loop import Interrupted
from plait.training.randomness import own_randomness


@own_randomness()
def compare(
    recipe: Recipe,
    table: Any = None,
    *,
    output: str | Path | None = None,
    fusions: Sequence[str] | None = None,
    folds: int = 5,
    seeds: int = 1,
    rows: int | None = None,
    save_best: bool = False,
    time_limit: float | None = None,
    processes: int | None = None,
    thorough: bool = False,
    verbose: bool = True,
) -> Comparison:
    """Compare every fusion, every modality alone, every pair of three or more, linear models, kernels, boosted trees.

    Args:
        recipe: task, inputs, settings of the loop. Each model trains until it no longer improves, unless
            `train.epochs` says how long; `train.max_steps` bounds it.
        table: a file, a frame or a Table; None for the recipe's.
        output: the folder; None for `comparisons/NAME-1`. What it holds of the same comparison is not run again.
        fusions: only these; None for all but those that attend to tokens where every modality is one vector.
        folds: of the cross-validation, at least 2.
        seeds: runs a fold.
        rows: compare on so many rows at most, drawn at random, whole groups; None for all.
        save_best: leave a run folder of the winner, fitted on all rows.
        time_limit: seconds, after which no further candidate is begun; None for none.
        processes: that train at once; None for one a core (on a GPU, and for few runs, one).
        thorough: leave no fusion out, and stop none after the first folds that is clearly behind.
        verbose: show progress.

    Raises:
        PlaitError: the table does not allow it; or Ctrl-C (`Interrupted`), and the same command goes on.
    """
    start = time.monotonic()
    load_for(recipe)
    check_fusions(fusions)
    if output is not None:
        RunFolder(Path(output).expanduser()).refuse_existing(but="comparison")
    opened = open_table(recipe.data.train if table is None else table)
    experiment = Experiment(recipe, opened, folds, verbose, rows)
    without = () if fusions is not None or thorough else experiment.pointless()
    candidates = candidates_of(experiment.modalities, fusions, without, experiment.fittable)
    candidates += baselines_of(experiment)
    closed = [candidate.name for candidate in candidates if candidate.kind == "closed_form"]
    if closed:
        experiment.notes.append(
            f"{', '.join(closed)}: need no rows to stop training by, so these, a tenth of a fold's, teach them as well"
        )
    stem = Path(opened.source).stem if opened.root is not None else "frame"
    with claimed_folder(output, stem, "comparisons", goes_on="comparison") as folder, _stoppable(folder):
        # Runs whose answers the folder holds already are not run again; the time that they took counts.
        before = _open(folder, _fingerprint(experiment, opened, folds))
        if verbose:
            _announce(experiment, candidates, folds, seeds, folder)
        try:
            with StopRequest() as stop, console.Board(experiment.metric.name, verbose) as board:
                deadline = None if time_limit is None else start + time_limit
                rounds = Rounds(experiment, candidates, seeds, folder, board, not thorough, deadline, processes)
                judged = rounds.run(stop)
        except Interrupted:
            raise _stopped(folder) from None
        finally:
            seconds = before + time.monotonic() - start
            folder.write_json("state.json", {**folder.read_json("state.json"), "seconds": seconds})
        comparison = judge(judged, experiment.measurement(), seconds)
        comparison.group_drop = group_drop(experiment, comparison)
        comparison.seconds = before + time.monotonic() - start
        _write(folder, comparison, experiment)
        if verbose:
            show(comparison, folder)
        if save_best and comparison.best:
            _save_best(experiment, comparison, opened, folder, verbose)
    return comparison


@contextmanager
def _stoppable(folder: RunFolder) -> Iterator[None]:
    """Ctrl-C at any moment says how to go on, where there are answers already."""
    try:
        yield
    except KeyboardInterrupt:
        if not folder.has_results:
            raise
        raise _stopped(folder) from None


def _stopped(folder: RunFolder) -> Interrupted:
    return Interrupted(f"stopped; the same command goes on where it was, with -o {folder.path}")


def _fingerprint(experiment: Experiment, table: Table, folds: int) -> str:
    """What answers depend on: recipe, rows, folds and versions."""
    digest = hashlib.sha256(experiment.recipe.model_copy(update={"resolved": {}}).write().encode())
    digest.update(repr((folds, sorted(environment().items()))).encode() + experiment.rows.tobytes())
    for column in table.columns:
        for value in table.iterate(column):
            digest.update(repr(value).encode() + b"\0")
    return digest.hexdigest()


def _open(folder: RunFolder, fingerprint: str) -> float:
    """Begin a comparison, or go on with the same one; returns the seconds that it has taken so far.

    Raises:
        RunError: the folder holds another comparison.
    """
    path = folder.path / "state.json"
    if path.exists():
        state = folder.read_json("state.json")
        if state.get("fingerprint") != fingerprint:
            raise RunError(
                f"{folder.path}: holds a comparison of another table, recipe or version; choose another folder with -o"
            )
        return float(state.get("seconds", 0.0))
    folder.write_json("state.json", {"fingerprint": fingerprint, "seconds": 0.0})
    return 0.0


def _announce(
    experiment: Experiment, candidates: Sequence[Candidate], folds: int, seeds: int, folder: RunFolder
) -> None:
    rows = [(column.name, column.modality, column.reason) for column in experiment.schema.values()]
    console.show(console.table("", ["column", "type", "because"], rows[:40]))
    for note in experiment.notes:
        console.say(note)
    settings = experiment.recipe.train
    planned = isinstance(settings.epochs, int)
    length = f"{settings.epochs} epochs each" if planned else "each until it no longer improves"
    console.say(
        f"{len(candidates)} models x {folds} folds x {seeds} {'seed' if seeds == 1 else 'seeds'}, {length}, "
        f"on {len(experiment.rows):,} rows; folder: {folder.path}"
    )


def _write(folder: RunFolder, comparison: Comparison, experiment: Experiment) -> None:
    folder.write_json("comparison.json", comparison.to_json())
    folder.write_text("comparison.csv", comparison.to_csv())
    resolved = experiment.recipe.model_copy(update={"resolved": {"versions": environment()}})
    folder.write_recipe(resolved)
    write_comparison(folder, comparison, resolved.write(), experiment.notes)


def show(comparison: Comparison, folder: RunFolder) -> None:
    """Print the result, the best first, trivial rows last."""
    columns, cells, marks = comparison.lines()
    console.say("")
    console.show(console.table("", columns, cells, columns[2:]))
    for mark in marks:
        console.say(mark)
    for line in explained(comparison):
        console.say(line)
    console.say("")
    console.say(comparison.verdict)
    console.say(f"{comparison.seconds:.0f} s in all; {folder.path / 'report.html'}")


def _save_best(experiment: Experiment, comparison: Comparison, table: Table, folder: RunFolder, verbose: bool) -> None:
    """A run of the winner on all rows, or of the ensemble, where that is significantly better.

    No row is kept for validation, so networks train as many steps as they did on the folds.
    """
    rows = {row.name: row for row in comparison.rows}
    methods = {one.name: one.method for one in candidates_of(experiment.modalities, None, (), True)}

    def member(row: Row) -> dict[str, Any]:
        columns = [c for name in row.modalities for c in experiment.inputs[name].columns]
        method = methods.get(row.name, row.name)
        found: dict[str, Any] = {"method": method, "inputs": columns, **_options(experiment, method)}
        if method not in FITTED and not isinstance(experiment.recipe.train.epochs, int):
            share = len(experiment.fold(len(experiment.folds) - 1).train) / len(experiment.rows)
            found["epochs"] = max(1, round(row.epochs * share))
        return found

    data = {"val": "none", "test": None}
    recipe = experiment.recipe.updated({"data": data})
    if comparison.ensemble_helps and comparison.ensemble:
        members = [
            {**member(rows[one.name]), "weight": one.weight, "temperature": one.temperature}
            for one in comparison.ensemble
        ]
        values = recipe.model_dump(mode="json", exclude_defaults=True)
        values["fusion"] = {"method": ENSEMBLE, "dim": recipe.fusion.dim, "members": members}
        chosen = Recipe.parse(values)
    else:
        chosen = member_recipe(recipe, MemberRecipe(**member(rows[comparison.best])))
    Predictor.from_recipe(chosen, folder.path / "best", verbose=verbose).fit(table)


def _options(experiment: Experiment, method: str) -> dict[str, Any]:
    """The options of a method that the recipe sets, or that new runs set."""
    return experiment.recipe_of(method).fusion.options
