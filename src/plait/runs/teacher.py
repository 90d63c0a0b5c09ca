"""A teacher: a finished run whose answers another run learns beside the truth."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from plait.build.model import build_model
from plait.data.batches import TableSource
from plait.data.table import Table
from plait.errors import RecipeError, RunError
from plait.features.frozen import FrozenInputs
from plait.processors import TargetText
from plait.runs.folder import RunFolder
from plait.runs.tables import make_source
from plait.tasks import Targets
from plait.tasks.generation import CODE
from plait.training.checkpoint import load_state, load_tensors
from plait.types import Batch, Fused, Tokens


class Teacher:
    """Answers of a trained model for rows of a table.

    The teacher reads its own inputs with its own processors. They may differ from the student's, so that a model of
    one modality can learn from a model of several.

    Args:
        folder: of the run.
        table: the training rows.
        targets: of the student; the teacher must answer them in the same classes, or the same tokens.
        temperature: above 1, the classes that the teacher finds likely beside its answer count more (1503.02531).
        rows: the rows that will be asked for.
        device: of both models.

    Raises:
        RunError: there is no such run, or it is not finished.
        RecipeError: it has other targets, classes or tokens.
    """

    def __init__(
        self,
        folder: str | Path,
        table: Table,
        targets: Targets,
        temperature: float,
        rows: np.ndarray,
        device: torch.device,
        allow_outside: bool = False,
    ) -> None:
        run = RunFolder(Path(folder).expanduser())
        recipe, _, inputs, teacher_targets, configs = run.read_setup(allow_outside)
        if not run.weights.exists():
            raise RunError(f"train.teacher={folder}: the run is not finished")
        check_alike(str(folder), teacher_targets, targets)
        self.targets, self.temperature, self.device = targets, temperature, device
        self.model = build_model(recipe, inputs, teacher_targets, configs)
        load_state(self.model, load_tensors(run.weights)[0], run.weights)
        self.model.eval().requires_grad_(False).to(device)
        self.source: TableSource = make_source(recipe, table, inputs, None)
        frozen = FrozenInputs(self.model, inputs, recipe.train.features, 1, recipe.data.allow_outside, False)
        frozen.attach(self.source, rows)  # it learns nothing, so each value is encoded once

    @torch.no_grad()
    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The teacher's raw predictions for a batch's rows, by target; of texts `[B, L, V]`."""
        teacher_batch = self.source.batch(batch.rows.numpy()).to(self.device)
        head = cast(Any, self.model.head)
        if not getattr(head, "writes", False):
            return self.model(teacher_batch).predictions
        # A teacher that writes is fed the batch's own texts, so that its predictions and the student's align.
        tokens: dict[str, Tokens] = {
            name: self.model.encode(name, teacher_batch.inputs[name], len(teacher_batch))
            for name in teacher_batch.inputs
        }
        fused: Fused = self.model.fusion(tokens)
        return {head.name: head.teacher_forced(fused, batch.targets[head.name][:, CODE:])}

    def loss(self, predictions: dict[str, Tensor], batch: Batch) -> Tensor:
        """How far a student's raw predictions are from the teacher's, in the mean of the rows."""
        teacher_logits = self(batch)
        losses = []
        for name, task in self.targets.tasks.items():
            apart = task.distance(predictions[name], teacher_logits[name], batch.targets[name], self.temperature)
            losses.append(apart.mean())
        return torch.stack(losses).sum()


def check_alike(folder: str, teacher: Targets, student: Targets) -> None:
    """Refuse a teacher whose answers are not the student's.

    Raises:
        RecipeError: the message names the target and the difference.
    """
    for name, task in student.tasks.items():
        if not task.joint:
            raise RecipeError(f"train.teacher: of {task.kind} there is nothing to distil: it answers in vectors")
        other = teacher.tasks.get(name)
        if other is None or other.kind != task.kind:
            kinds = ", ".join(f"{n} ({t.kind})" for n, t in teacher.tasks.items())
            raise RecipeError(f"train.teacher={folder}: it answers {kinds}, not {name} ({task.kind})")
        differing = task.agrees(other)
        if differing is not None:
            raise RecipeError(
                f"train.teacher={folder}: its {name} has {differing} than this run's; train both on the same rows "
                f"(data.split or a file each), or start from it (train.start={folder})"
            )


def adopt_tokens(folder: str, targets: Targets) -> Targets:
    """Targets in which a student that writes uses its teacher's tokens, so that their predictions can be compared.

    Raises:
        RunError: there is no such run.
    """
    teacher = RunFolder(Path(folder).expanduser()).read_setup()[3]
    new, old = targets.writer, teacher.writer
    if new is not None and old is not None and new.language_model is None:
        length = min(new.texts.max_length, old.texts.max_length)
        texts = TargetText(**{**old.texts.to_json(), "max_length": length})
        return targets.with_task(new.target, new.with_texts(texts))
    return targets
