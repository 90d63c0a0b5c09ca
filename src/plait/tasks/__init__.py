"""What is predicted for a row: one file per task.

A task knows how to encode its target, its loss, its metrics, and how an answer is written out. `Targets` holds one or
several of them, so that the training loop need not know which kind it trains.
"""

from plait.tasks.classification import Classification
from plait.tasks.events import Events
from plait.tasks.generation import Generation
from plait.tasks.matching import Matching, draw_matches
from plait.tasks.multilabel import Multilabel
from plait.tasks.regression import Regression
from plait.tasks.retrieval import Retrieval
from plait.tasks.synchrony import Synchrony
from plait.tasks.targets import TASKS, Targets, guess_task, unused
from plait.tasks.task import Card, Figure, Sample, Task

__all__ = [
    "TASKS",
    "Card",
    "Classification",
    "Events",
    "Figure",
    "Generation",
    "Matching",
    "Multilabel",
    "Regression",
    "Retrieval",
    "Sample",
    "Synchrony",
    "Targets",
    "Task",
    "draw_matches",
    "guess_task",
    "unused",
]
