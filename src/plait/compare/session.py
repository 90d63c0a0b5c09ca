"""A comparison from start to end: run, shown while it runs, stopped and resumed, written."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from plait import console
from plait.build.model import complete_inputs
from plait.build.pairs import is_grouped
from plait.build.plugins import load_for
from plait.checks.doctor import EXTRAS, is_present
from plait.compare.candidates import Candidate, candidates_of, check_fusions
from plait.compare.experiment import Answer, Experiment
from plait.compare.result import Comparison, Judged, judge
from plait.compare.workers import Job, ProcessKilled, processes_for, run_jobs
from plait.data.readers import open_table
from plait.data.schema import Schema
from plait.data.table import Table
from plait.errors import RunError
from plait.files.atomic import replacing
from plait.layers.ragged import Ragged, joined
from plait.modalities import MODALITIES
from plait.predictor import Predictor
from plait.recipe import Recipe
from plait.report.comparison_report import write_comparison
from plait.runs.facts import environment
from plait.runs.folder import ANSWERS, RunFolder, claimed_folder
from plait.runs.prepare import metric_of, type_columns
from plait.training.interrupt import StopRequest
from plait.training.loop import Interrupted
from plait.training.randomness import own_randomness

DIM = 128  # the fused width that twenty methods share: a quarter of 256's cost in the ones with attention
TABULAR_LAYERS = 0  # half of a small model's time were blocks over columns, which gave nothing on small tables


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
    processes: int | None = None,
    verbose: bool = True,
) -> Comparison:
    """Compare every fusion, every modality alone, every pair of three or more, and boosted trees.

    Args:
        recipe: task, inputs, settings of the loop; `train.epochs` is each one's budget.
        table: a file, a frame or a Table; None for the recipe's.
        output: the folder; None for `comparisons/NAME-1`. What it holds of the same comparison is not run again.
        fusions: only these; None for all.
        folds: of the cross-validation, at least 2.
        seeds: runs a fold.
        rows: compare on so many rows at most, drawn at random, whole groups; None for all.
        save_best: leave a run folder of the winner, fitted on all rows.
        processes: that train at once; None for one a core (on a GPU, and for few runs, one).
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
    candidates = candidates_of(experiment.modalities, fusions)
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
        metric = metric_of(experiment.recipe, experiment.targets).name
        try:
            with StopRequest() as stop, console.Board(metric, verbose) as board:
                judged = _answers(experiment, candidates, seeds, folder, board, stop, processes)
        finally:
            seconds = before + time.monotonic() - start
            folder.write_json("state.json", {**folder.read_json("state.json"), "seconds": seconds})
        # Every candidate is judged on the same draws of rows; grouped rows are drawn together.
        compared, groups = experiment.rows, experiment.groups
        ordered = None if groups is None else groups[compared]
        measured = (metric, partial(experiment.measure, metric), experiment.targets.measures.get(metric, True))
        comparison = judge(judged, experiment.truth[compared], *measured, ordered, seconds)
        _write(folder, comparison, experiment)
        if verbose:
            show(comparison, folder)
        if save_best and comparison.best:
            _save_best(experiment, next(c for c in candidates if c.name == comparison.best), opened, folder, verbose)
    return comparison


def prepare_recipe(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """A budget for many models: what the user left open is set so that each trains in seconds.

    Text and image columns have frozen packaged encoders, where they are installed: twenty models on five folds train
    twenty heads on features that are computed once; twenty networks from scratch would take hours and learn less from
    a small table. Vectors are narrower than train's, and number and category columns meet in the fusion only.

    Returns:
        The recipe, and a line for all that was set.
    """
    lines = []
    if "dim" not in recipe.fusion.model_fields_set:
        recipe = recipe.updated({"fusion": {"dim": DIM}})
        lines.append(f"fusion.dim: {DIM} for all (train's is 256)")
    schema = type_columns(recipe, open_table(recipe.data.train)) if recipe.data.train else {}
    if "layers" not in recipe.tabular.options and _has_tabular(recipe, schema):
        recipe = recipe.updated({"tabular": {"layers": TABULAR_LAYERS}})
        lines.append(f"tabular.layers: {TABULAR_LAYERS} for all (train's is 1): columns meet in the fusion only")
    if not all(is_present(module) for module in EXTRAS["packaged"] + EXTRAS["pretrained"]):
        return recipe, lines
    # Columns whose encoder the recipe leaves open get a packaged one.
    changes = {}
    for name, column in schema.items():
        spec = recipe.inputs.get(name)
        set_by_user = spec is not None and (spec.encoder is not None or spec.options)
        takes_part = not recipe.inputs or spec is not None or any(s.modality is None for s in recipe.inputs.values())
        packaged = MODALITIES[column.modality].packaged if column.modality in MODALITIES else None
        if packaged is not None and not set_by_user and takes_part:
            changes[name] = {"encoder": packaged, "frozen": True}
            lines.append(f"{name}: {packaged}, frozen (name another with inputs.{name}.encoder=…)")
    return (recipe.updated({"inputs": changes}) if changes else recipe), lines


def _has_tabular(recipe: Recipe, schema: Schema) -> bool:
    return bool(schema) and any(is_grouped(spec) for spec in complete_inputs(recipe.inputs, schema).values())


def _answers(
    experiment: Experiment,
    candidates: Sequence[Candidate],
    seeds: int,
    folder: RunFolder,
    board: Any,
    stop: StopRequest,
    processes: int | None,
) -> list[Judged]:
    """All folds and seeds of all candidates; one that fails is reported, and the others go on.

    Raises:
        Interrupted: Ctrl-C; the answers that are there are kept.
    """
    count = len(experiment.folds)
    answers: dict[str, dict[tuple[int, int], Answer]] = {candidate.name: {} for candidate in candidates}
    failed: dict[str, str] = {}
    # What an earlier session answered is read; the rest waits for its turn.
    waiting = []
    for candidate in candidates:
        for job in (Job(candidate, fold, seed) for seed in range(seeds) for fold in range(count)):
            earlier = _read(_path(folder, job))
            if earlier is None:
                waiting.append(job)
            else:
                answers[candidate.name][job.seed, job.fold] = earlier

    def wanted() -> Iterator[Job]:  # read as processes become free: a candidate that failed is not tried again
        for job in waiting:
            if stop.asked:
                return
            if job.candidate.name not in failed:
                yield job

    def show(candidate: Candidate) -> None:
        scores = [answer.score for answer in answers[candidate.name].values()]
        if scores and candidate.name not in failed:
            board.scored(candidate.name, candidate.kind, float(np.nanmean(scores)), len(scores), seeds * count)

    for candidate in candidates:
        show(candidate)
    interrupted = False
    if waiting:
        experiment.settle_precision(candidates)
    processes = processes or processes_for(experiment, len(waiting))
    try:
        for job, result in run_jobs(experiment, wanted(), processes):
            name, kind = job.candidate.name, job.candidate.kind
            if isinstance(result, Answer):
                _keep(_path(folder, job), result)
                answers[name][job.seed, job.fold] = result
                show(job.candidate)
            elif result.interrupted:
                interrupted = True
            elif name not in failed:
                failed[name] = result.reason
                board.failed(name, kind, result.reason)
    except ProcessKilled:
        if not stop.asked:  # Ctrl-C ends processes that are still starting
            raise
    if interrupted or stop.asked:
        raise _stopped(folder)
    return [
        Judged(candidate, failed=failed[candidate.name])
        if candidate.name in failed
        else _judged(experiment, candidate, answers[candidate.name])
        for candidate in candidates
    ]


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


def _judged(experiment: Experiment, candidate: Candidate, by_run: dict[tuple[int, int], Answer]) -> Judged:
    """Answers of all folds in the order of the rows."""
    seeds = sorted({seed for seed, _ in by_run})
    answers = [[by_run[seed, fold] for fold in range(len(experiment.folds))] for seed in seeds]
    predictions = []
    for of_seed in answers:  # each row is in one fold, so sorted by row number all answers line up
        order = np.argsort(np.concatenate([answer.rows for answer in of_seed]))
        predictions.append(joined([answer.predictions for answer in of_seed])[order])
    per_fold = np.nanmean([[answer.score for answer in of_seed] for of_seed in answers], axis=0)
    every = [answer.costs for answer in by_run.values()]
    costs: dict[str, Any] = {key: float(np.mean([cost[key] for cost in every])) for key in every[0]}
    costs["parameters"] = int(costs["parameters"])
    costs["peak_bytes"] = int(max(cost["peak_bytes"] for cost in every))
    return Judged(candidate, predictions, [float(score) for score in per_fold], costs)


def _path(folder: RunFolder, job: Job) -> Path:
    """The file of one run's answers: names of columns, which may hold any character, are hashed."""
    digest = hashlib.sha256(f"{job.candidate.kind} {job.candidate.name}".encode()).hexdigest()[:16]
    return folder.path / ANSWERS / f"{digest}-{job.seed}-{job.fold}.npz"


def _keep(path: Path, answer: Answer) -> None:
    costs = np.array(json.dumps(answer.costs))
    with replacing(path) as beside, beside.open("wb") as file:  # given a name, numpy would add .npz
        answers = answer.predictions
        flat, lengths = (answers.flat, answers.lengths) if isinstance(answers, Ragged) else (answers, np.empty(0))
        np.savez(file, rows=answer.rows, predictions=flat, lengths=lengths, score=answer.score, costs=costs)


def _read(path: Path) -> Answer | None:
    """What an earlier session has answered; None where there is nothing, or nothing whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            costs = json.loads(str(stored["costs"]))
            predictions: Any = stored["predictions"]
            if "lengths" in stored.files and len(stored["lengths"]):  # missing in older answers
                predictions = Ragged(predictions, stored["lengths"])
            return Answer(stored["rows"], predictions, float(stored["score"]), costs)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


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
    console.say(
        f"{len(candidates)} models x {folds} folds x {seeds} {'seed' if seeds == 1 else 'seeds'}, "
        f"{experiment.recipe.train.epochs} epochs each, on {len(experiment.rows):,} rows; folder: {folder.path}"
    )


def _write(folder: RunFolder, comparison: Comparison, experiment: Experiment) -> None:
    folder.write_json("comparison.json", comparison.to_json())
    folder.write_text("comparison.csv", comparison.to_csv())
    resolved = experiment.recipe.model_copy(update={"resolved": {"versions": environment()}})
    folder.write_recipe(resolved)
    write_comparison(folder, comparison, resolved.write(), experiment.notes)


def show(comparison: Comparison, folder: RunFolder) -> None:
    """Print the result, the best first."""
    sign = -1 if comparison.higher_is_better else 1
    rows = sorted(comparison.rows, key=lambda row: (row.score is None, sign * (row.score or 0)))
    cells = []
    for row in rows:
        if row.score is None:
            cells.append((row.name, row.kind.replace("_", " "), "failed", row.failed, "", "", ""))
            continue
        versus = row.versus_best_single
        gain = "" if versus is None else f"{versus.difference:+.3f}{' *' if versus.significant else ''}"
        band = f"{row.low:.3f}…{row.high:.3f}"
        cost = (f"{row.parameters:,}", f"{row.train_seconds:.1f}")
        cells.append((row.name, row.kind.replace("_", " "), f"{row.score:.3f}", band, gain, *cost))
    columns = ["model", "kind", comparison.metric, "95 % interval", "over single", "parameters", "s"]
    console.say("")
    console.show(console.table("", columns, cells, columns[2:]))
    console.say(f"* over the best single modality, significant after correction for {len(rows) - 1} comparisons\n")
    console.say(comparison.verdict)
    console.say(f"{comparison.seconds:.0f} s in all; {folder.path / 'report.html'}")


def _save_best(experiment: Experiment, best: Candidate, table: Table, folder: RunFolder, verbose: bool) -> None:
    """A run of the winner on all rows: no row is kept for validation, so it runs its epochs to the end."""
    columns = {c for name in best.modalities for c in experiment.inputs[name].columns}
    recipe = experiment.recipe_of(best.method)
    values = recipe.model_dump(mode="json", exclude_defaults=True)
    values["inputs"] = {name: spec for name, spec in values["inputs"].items() if name in columns}
    values["data"] = {**values.get("data", {}), "val": "none", "test": None}
    chosen = Recipe.parse(values)
    Predictor.from_recipe(chosen, folder.path / "best", verbose=verbose).fit(table)
