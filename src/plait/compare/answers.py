"""The answers of finished training runs, a file each: a comparison that is stopped goes on with them."""

import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from plait.compare.fold import Answer
from plait.compare.workers import Job
from plait.files.atomic import replacing
from plait.layers.ragged import Ragged
from plait.runs.folder import ANSWERS, RunFolder


def answer_path(folder: RunFolder, job: Job) -> Path:
    """The file of one run's answers: names of columns, which may hold any character, are hashed."""
    digest = hashlib.sha256(f"{job.candidate.kind} {job.candidate.name}".encode()).hexdigest()[:16]
    return folder.path / ANSWERS / f"{digest}-{job.seed}-{job.fold}.npz"


def write_answer(path: Path, answer: Answer) -> None:
    """Keep what a run answered."""
    costs = np.array(json.dumps(answer.costs))
    with replacing(path) as beside, beside.open("wb") as file:  # given a name, numpy would add .npz
        answers = answer.predictions
        flat, lengths = (answers.flat, answers.lengths) if isinstance(answers, Ragged) else (answers, np.empty(0))
        np.savez(file, rows=answer.rows, predictions=flat, lengths=lengths, score=answer.score, costs=costs)


def read_answer(path: Path) -> Answer | None:
    """What an earlier session has answered; None where there is nothing, or nothing whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            costs = json.loads(str(stored["costs"]))
            if not isinstance(costs, dict) or not all(isinstance(value, int | float) for value in costs.values()):
                return None
            predictions: Any = stored["predictions"]
            if "lengths" in stored.files and len(stored["lengths"]):  # missing in older answers
                predictions = Ragged(predictions, stored["lengths"])
            return Answer(stored["rows"], predictions, float(stored["score"]), costs)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
