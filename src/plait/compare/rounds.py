"""All training runs of a comparison, in two rounds: what is clearly behind after the first folds is not trained on."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.compare.answers import answer_path, read_answer, write_answer
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.compare.fold import Answer
from plait.compare.result import Judged
from plait.compare.timing import settled_precision
from plait.compare.workers import Job, ProcessKilled, Workers, processes_for
from plait.layers.ragged import joined
from plait.metrics.bootstrap import Function, bootstrap, draw_rows, interval
from plait.runs.folder import RunFolder
from plait.training.interrupt import StopRequest
from plait.training.loop import Interrupted

FIRST = 2  # folds of the first round
FEWEST = 4  # folds from which there are two rounds
ALWAYS = ("single", "closed_form", "baseline")  # kinds that are never left out: the verdict and the cheapest rows
ALWAYS_NAMED = ("concat",)
COSTS = ("parameters", "train_seconds", "peak_bytes", "latency_ms", "epochs")  # of a run, averaged over its folds
NOT_RACING = ("single", "subset", "baseline")  # kinds that are not measured against the best fusion


@dataclass
class Rounds:
    """What is trained, and what limits it.

    Args:
        experiment: rows, folds and settings.
        candidates: what is compared.
        seeds: runs a fold.
        folder: where answers are kept.
        board: shows scores as they come.
        racing: leave out, after the first folds, what is clearly behind.
        deadline: of `time.monotonic()`, after which no further candidate is begun; None for none.
        processes: that train at once; None for as many as pay.
    """

    experiment: Experiment
    candidates: Sequence[Candidate]
    seeds: int
    folder: RunFolder
    board: Any
    racing: bool = True
    deadline: float | None = None
    processes: int | None = None

    def __post_init__(self) -> None:
        self.answers: dict[str, dict[tuple[int, int], Answer]] = {one.name: {} for one in self.candidates}
        self.failed: dict[str, str] = {}
        self.stopped: dict[str, str] = {}
        folds = range(len(self.experiment.folds))
        self.rounds = [folds[:FIRST], folds[FIRST:]] if self.racing and len(folds) >= FEWEST else [folds]

    def run(self, stop: StopRequest) -> list[Judged]:
        """Train everything; what fails is reported, and the others go on.

        Raises:
            Interrupted: Ctrl-C; the answers that are there are kept.
        """
        # First what every verdict needs: a comparison whose time runs out still has it.
        order = sorted(self.candidates, key=lambda one: not _always(one))
        runs = [(one, seed) for one in order for seed in range(self.seeds_of(one))]
        jobs = [[Job(one, fold, seed) for one, seed in runs for fold in folds] for folds in self.rounds]
        waiting = [job for of_round in jobs for job in of_round if not self._known(job)]
        for candidate in self.candidates:
            self._show(candidate)
        if waiting:
            self.experiment.precision = settled_precision(self.experiment, self.candidates)
        processes = self.processes or processes_for(self.experiment, len(waiting))
        try:
            with Workers(self.experiment, processes) as workers:
                for number, of_round in enumerate(jobs):
                    if number:
                        self._leave_out()
                    self._answer(workers, of_round, stop)
        except ProcessKilled:
            if not stop.asked:  # Ctrl-C ends processes that are still starting
                raise
        if stop.asked:
            raise Interrupted
        return [self._judged(candidate) for candidate in self.candidates]

    def seeds_of(self, candidate: Candidate) -> int:
        """How often a candidate is trained on a fold: once where nothing of it is drawn."""
        return 1 if candidate.kind == "baseline" else self.seeds

    def _known(self, job: Job) -> bool:
        """Whether an earlier session has answered; its answer is read."""
        earlier = read_answer(answer_path(self.folder, job))
        if earlier is None or not np.array_equal(earlier.rows, self.experiment.folds[job.fold]):
            return False
        if len(earlier.predictions) != len(earlier.rows):
            return False
        self.answers[job.candidate.name][job.seed, job.fold] = earlier
        return True

    def _answer(self, workers: Workers, jobs: Sequence[Job], stop: StopRequest) -> None:
        def wanted() -> Iterator[Job]:  # read as processes become free: a candidate that failed is not tried again
            for job in jobs:
                name = job.candidate.name
                if stop.asked:
                    return
                if (job.seed, job.fold) in self.answers[name] or name in self.failed or name in self.stopped:
                    continue
                if self._too_late(job):
                    self.stopped[name] = "the time limit"
                    continue
                yield job

        for job, result in workers.run(wanted()):
            name = job.candidate.name
            if isinstance(result, Answer):
                write_answer(answer_path(self.folder, job), result)
                self.answers[name][job.seed, job.fold] = result
                self._show(job.candidate)
            elif result.interrupted:
                raise Interrupted
            elif name not in self.failed:
                self.failed[name] = result.reason
                self.board.failed(name, job.candidate.kind, result.reason)

    def _too_late(self, job: Job) -> bool:
        """Whether a candidate is not begun, or not gone on with, for want of time."""
        if self.deadline is None or _always(job.candidate):
            return False
        return time.monotonic() > self.deadline

    def _leave_out(self) -> None:
        """Stop what is clearly behind the best after the first folds."""
        experiment = self.experiment
        metric = experiment.metric
        sign = 1.0 if metric.higher_is_better else -1.0
        rows = np.sort(np.concatenate([experiment.folds[fold] for fold in self.rounds[0]]))
        truth = experiment.truth[rows]
        groups = None if experiment.groups is None else experiment.groups[rows]
        out = {*self.failed, *self.stopped}
        racing = [one for one in self.candidates if one.name not in out and one.kind not in NOT_RACING]
        done = {one.name: self._predictions(one.name, self.rounds[0]) for one in racing}
        for name, (difference, high, leader) in behind(done, truth, experiment.measured, sign, groups).items():
            candidate = next(one for one in self.candidates if one.name == name)
            if not _always(candidate):
                low = f"{difference:+.3f}, at most {high:+.3f}"
                self.stopped[name] = f"behind {leader} after {len(self.rounds[0])} folds ({low})"
                self.board.stopped(name, candidate.kind, self.stopped[name])

    def _predictions(self, name: str, folds: Sequence[int]) -> list[Any]:
        """The answers of each seed to the rows of some folds, in the order of the rows."""
        sets = []
        for seed in sorted({seed for seed, _ in self.answers[name]}):
            answers = [self.answers[name][seed, fold] for fold in folds]
            order = np.argsort(np.concatenate([answer.rows for answer in answers]))
            sets.append(joined([answer.predictions for answer in answers])[order])
        return sets

    def _show(self, candidate: Candidate) -> None:
        scores = [answer.score for answer in self.answers[candidate.name].values()]
        if scores and candidate.name not in self.failed:
            total = self.seeds_of(candidate) * len(self.experiment.folds)
            self.board.scored(candidate.name, candidate.kind, float(np.nanmean(scores)), len(scores), total)

    def _judged(self, candidate: Candidate) -> Judged:
        """Answers of all folds in the order of the rows; of what was stopped, of the folds that it answered."""
        name = candidate.name
        if name in self.failed:
            return Judged(candidate, failed=self.failed[name])
        by_run = self.answers[name]
        every = range(len(self.experiment.folds))
        seeds = range(self.seeds_of(candidate))
        folds = [fold for fold in every if all((seed, fold) in by_run for seed in seeds)]
        if not folds:
            return Judged(candidate, failed=f"not begun: {self.stopped.get(name, 'stopped')}")
        scores = [[by_run[seed, fold].score for fold in folds] for seed in seeds]
        costs = [answer.costs for answer in by_run.values()]
        mean: dict[str, Any] = {key: float(np.mean([cost.get(key, 0.0) for cost in costs])) for key in COSTS}
        mean["parameters"] = int(mean["parameters"])
        mean["peak_bytes"] = int(max(cost.get("peak_bytes", 0) for cost in costs))
        mean["converged"] = all(cost.get("converged", False) for cost in costs)
        answered = None if len(folds) == len(every) else folds
        stopped = self.stopped.get(name, "") if answered else ""
        per_fold = [float(score) for score in np.nanmean(scores, axis=0)]
        return Judged(candidate, self._predictions(name, folds), per_fold, mean, folds=answered, stopped=stopped)


def behind(
    answers: dict[str, list[Any]], truth: Any, function: Function, sign: float, groups: np.ndarray | None
) -> dict[str, tuple[float, float, str]]:
    """Who is clearly behind the best: the whole 95 % interval of the paired difference is below zero.

    Args:
        answers: name → the answers of each seed, all to the same rows.
        truth: of these rows.
        function: `(truth, answers) -> score`.
        sign: −1 where less is better.
        groups: `[N]` codes of rows that are drawn together.

    Returns:
        Name → the difference, the upper end of its interval, and the name of the best.
    """
    if len(answers) < 2:
        return {}
    scores = {name: sign * float(np.mean([function(truth, one) for one in sets])) for name, sets in answers.items()}
    leader = max(scores, key=lambda name: scores[name])
    draws = draw_rows(len(truth), groups, 200)
    best = bootstrap(function, truth, answers[leader], draws)
    found = {}
    for name, sets in answers.items():
        if name != leader:
            _, high = interval(sign * (bootstrap(function, truth, sets, draws) - best))
            if high < 0:
                found[name] = (scores[name] - scores[leader], high, leader)
    return found


def _always(candidate: Candidate) -> bool:
    return candidate.kind in ALWAYS or candidate.name in ALWAYS_NAMED
