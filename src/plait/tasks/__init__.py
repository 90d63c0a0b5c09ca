"""What is asked of a row: one file a task.

A task knows how to encode its target, its loss, its metrics, and how an answer is written out. `Targets` holds one or
several of them, so the loop never asks which kind it trains.
"""

from plait.tasks.classification import Classification
from plait.tasks.generation import Generation
from plait.tasks.matching import Matching, draw_matches
from plait.tasks.multilabel import Multilabel
from plait.tasks.regression import Regression
from plait.tasks.retrieval import Retrieval
from plait.tasks.targets import TASKS, Targets, Task, guess_task, unused

__all__ = [
    "TASKS",
    "Classification",
    "Generation",
    "Matching",
    "Multilabel",
    "Regression",
    "Retrieval",
    "Targets",
    "Task",
    "draw_matches",
    "guess_task",
    "unused",
]
