"""A teacher: a finished run whose answers another one learns beside the truth."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from plait.build import build_model
from plait.data.batches import TableSource
from plait.data.table import Table
from plait.errors import RecipeError, RunError
from plait.frozen import FrozenInputs
from plait.opening import make_source
from plait.processors import TargetText
from plait.run_folder import RunFolder
from plait.tasks import Classification, Generation, Multilabel, Targets
from plait.tasks.generation import CODE
from plait.training.checkpoint import load_state, load_tensors
from plait.types import Batch, Fused, Tokens
from plait.values import as_text

KINDS = ("classification", "multilabel", "regression", "generation")


class Teacher:
    """Answers of a trained model for rows of a table.

    The teacher reads its own inputs, prepared its own way, which may be more or others than the student's: so a model
    of one modality learns from one of several.

    Args:
        folder: of the run.
        table: the training rows.
        targets: of the student; the teacher must answer them in the same classes, or the same tokens.
        temperature: above 1, what the teacher holds likely beside its answer counts more (1503.02531).
        rows: that will be asked for.
        device: of both models.

    Raises:
        RunError: there is no such run, or it is not finished.
        RecipeError: it answers other targets, or in other classes or tokens.
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
        recipe, _, inputs, known, configs = run.read_setup(allow_outside)
        if not run.weights.exists():
            raise RunError(f"train.teacher={folder}: the run is not finished")
        check_alike(str(folder), known, targets)
        self.targets, self.temperature, self.device = targets, temperature, device
        self.model = build_model(recipe, inputs, known, configs)
        load_state(self.model, load_tensors(run.weights)[0], run.weights)
        self.model.eval().requires_grad_(False).to(device)
        self.source: TableSource = make_source(recipe, table, inputs, None)
        frozen = FrozenInputs(self.model, inputs, recipe.train.features, 1, recipe.data.allow_outside, False)
        frozen.attach(self.source, rows)  # it learns nothing, so each value is encoded once

    @torch.no_grad()
    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """What the teacher says of a batch's rows: raw predictions a target, of texts `[B, L, V]`."""
        own = self.source.batch(batch.rows.numpy()).to(self.device)
        if self.targets.text is None:
            return self.model(own).predictions
        tokens: dict[str, Tokens] = {name: self.model.encode(name, own.inputs[name], len(own)) for name in own.inputs}
        fused: Fused = self.model.fusion(tokens)
        name, head = self.targets.text.target, cast(Any, self.model.head)
        return {name: head.taught(fused, batch.targets[name][:, CODE:])}

    def loss(self, predictions: dict[str, Tensor], batch: Batch) -> Tensor:
        """How far a student's raw predictions are from the teacher's, the mean of the rows."""
        said = self(batch)
        losses = []
        for name, task in self.targets.tasks.items():
            given, wanted = predictions[name], said[name]
            real = None
            if isinstance(task, Generation):
                real = batch.targets[name][:, CODE : CODE + given.shape[1]] >= 0
            losses.append(distance(task.kind, given, wanted, self.temperature, real))
        return torch.stack(losses).sum()


def distance(kind: str, given: Tensor, wanted: Tensor, temperature: float = 1.0, real: Tensor | None = None) -> Tensor:
    """How far raw predictions are from a teacher's.

    Cross-entropy against the teacher's probabilities at a temperature, times its square (1503.02531), of each token
    where texts are written (1606.07947, word level), less the teacher's own entropy, so that 0 is agreement; of numbers
    the mean square.

    Args:
        kind: of the task.
        given, wanted: `[B, …, C]`.
        temperature: of both.
        real: `[B, L]` bool, which tokens of a text count.

    >>> logits = torch.tensor([[2.0, 0.0, 0.0]])
    >>> float(distance("classification", logits, logits)), float(distance("regression", logits, logits + 1))
    (0.0, 1.0)
    """
    if kind == "regression":
        return F.mse_loss(given.float(), wanted.float())
    given, wanted = given.float() / temperature, wanted.float() / temperature
    if kind == "multilabel":
        share = wanted.sigmoid()
        apart = F.binary_cross_entropy_with_logits(given, share, reduction="none")
        apart = apart - F.binary_cross_entropy_with_logits(wanted, share, reduction="none")
        return temperature**2 * apart.sum(dim=-1).mean()
    apart = F.kl_div(given.log_softmax(dim=-1), wanted.log_softmax(dim=-1), reduction="none", log_target=True).sum(-1)
    return temperature**2 * (apart.mean() if real is None else apart[real].mean())


def check_alike(folder: str, teacher: Targets, student: Targets) -> None:
    """Refuse a teacher whose answers are not the student's.

    Raises:
        RecipeError: with the target, and in what they differ.
    """
    for name, task in student.tasks.items():
        if task.kind not in KINDS:
            raise RecipeError(f"train.teacher: of {task.kind} there is nothing to distil; it is for {', '.join(KINDS)}")
        other = teacher.tasks.get(name)
        if other is None or other.kind != task.kind:
            said = ", ".join(f"{n} ({t.kind})" for n, t in teacher.tasks.items())
            raise RecipeError(f"train.teacher={folder}: it answers {said}, not {name} ({task.kind})")
        own, its = _words_of(task), _words_of(other)
        if own != its:
            raise RecipeError(
                f"train.teacher={folder}: its {name} has other {'tokens' if task.kind == 'generation' else 'classes'} "
                "than this run's; train both on the same rows (data.split or a file each), or start from it "
                f"(train.start={folder})"
            )


def _words_of(task: Any) -> Any:
    """What a task's raw predictions are about, in order."""
    if isinstance(task, Generation):
        return task.texts.tokenizer.to_str(), task.texts.end
    if isinstance(task, Classification | Multilabel):
        return [as_text(name) for name in task.classes]  # integers of a frame are texts in an older run
    return task.mean, task.std


def adopt_tokens(folder: str, targets: Targets) -> Targets:
    """Targets in which a student that writes uses its teacher's tokens, so that they speak of the same ones.

    Raises:
        RunError: there is no such run.
    """
    teacher = RunFolder(Path(folder).expanduser()).read_setup()[3]
    new, old = targets.text, teacher.text
    if new is not None and old is not None and new.language_model is None:
        length = min(new.texts.max_length, old.texts.max_length)
        texts = TargetText(**{**old.texts.to_json(), "max_length": length})
        return targets.with_task(new.target, new.with_texts(texts))
    return targets
