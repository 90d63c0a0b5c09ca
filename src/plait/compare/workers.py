"""The training runs of a comparison, one after the other or in several processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch
from joblib import Parallel, delayed, wrap_non_picklable_objects  # type: ignore[import-untyped]
from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]

from plait.build.fitted import BOOSTED, FITTED
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.compare.fold import Answer
from plait.errors import PlaitError
from plait.training.interrupt import StopRequest
from plait.training.loop import Interrupted
from plait.training.trees import default_booster

MOST = 8  # processes
WORTH = 12  # runs from which the seconds that processes need to start are made up for


class ProcessKilled(PlaitError):
    """A process of the comparison ended before its run did."""


@dataclass(frozen=True)
class Job:
    """One training run: a candidate on a fold."""

    candidate: Candidate
    fold: int
    seed: int


@dataclass(frozen=True)
class Failure:
    """Why a run has no answer; `interrupted` where the user stopped it."""

    reason: str
    interrupted: bool = False


def processes_for(experiment: Experiment, jobs: int) -> int:
    """One process a core, each with one thread: the steps of small models are too short to share out. One for a GPU,
    and for few runs.
    """
    if experiment.device.type != "cpu" or jobs < WORTH:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, cores)


class Workers:
    """Processes that train, kept from round to round; with one, this process trains.

    Args:
        experiment: sent to each process once.
        processes: how many.
    """

    def __init__(self, experiment: Experiment, processes: int) -> None:
        self.experiment, self.processes = experiment, processes
        self.parallel: Any = None

    def __enter__(self) -> "Workers":
        if self.processes > 1:
            # Wrapped, it is sent as bytes and unpacked later: else the imports of one process would delay the next's.
            receive = wrap_non_picklable_objects(partial(_receive, self.experiment))
            parallel = Parallel(
                n_jobs=self.processes,
                backend="loky",
                return_as="generator_unordered",
                batch_size=1,
                pre_dispatch=self.processes,
                inner_max_num_threads=1,
                initializer=receive,
            )
            self.parallel = parallel.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.parallel is not None:
            self.parallel.__exit__(*error)

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer | Failure]]:
        """Answers as they come. `jobs` is read as runs are handed out, so it can leave out what is no longer wanted.

        Raises:
            ProcessKilled: for memory, most likely; or by Ctrl-C while it was starting.
        """
        if self.parallel is None:
            yield from ((job, _attempt(self.experiment, job)) for job in jobs)
            return
        try:
            yield from self.parallel(delayed(_attempt_elsewhere)(job) for job in jobs)
        except TerminatedWorkerError as error:
            raise ProcessKilled(
                "a process of the comparison was killed, most likely for memory; the same command goes on, and "
                "--processes 1 needs less"
            ) from error


def _attempt(experiment: Experiment, job: Job) -> Answer | Failure:
    _import_what_trains(job.candidate.method)
    try:
        return experiment.run(job.candidate, job.fold, experiment.recipe.train.seed + job.seed)
    except Interrupted as error:
        return Failure(str(error), interrupted=True)
    except (PlaitError, RuntimeError, MemoryError, ValueError) as error:  # the other candidates still can
        return Failure((str(error) or type(error).__name__).splitlines()[0][:300])


def _import_what_trains(method: str) -> None:
    """Libraries that are imported where they are first used: their seconds are not the first model's."""
    torch.optim.SGD([torch.zeros(1)])  # torch imports its compiler with the first optimizer
    if method == "late_stacking":
        import_module("sklearn.linear_model")
    if method in FITTED and method != BOOSTED:
        import_module("sklearn.linear_model")
        import_module("sklearn.model_selection")
    if method == BOOSTED:
        import_module("lightgbm" if default_booster() == "lightgbm" else "sklearn.ensemble")


_received: Experiment | None = None  # of a process of the comparison


def _receive(experiment: Experiment) -> None:
    global _received
    torch.set_num_threads(1)
    _received = experiment


def _attempt_elsewhere(job: Job) -> tuple[Job, Answer | Failure]:
    assert _received is not None
    with StopRequest():  # Ctrl-C reaches every process: this one ends its step, or its run
        return job, _attempt(_received, job)
