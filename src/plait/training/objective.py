"""What the loop minimises: the tasks' losses, and what keeps one modality from learning for all."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator

from plait.data.batches import Source
from plait.data.dropping import drop_modalities
from plait.data.plan import BatchPlan
from plait.errors import RecipeError
from plait.layers.ragged import items_of
from plait.model import MultimodalModel
from plait.tasks import Targets
from plait.training.balance import GradientModulation
from plait.training.blending import JOINT, Rows, estimate_blend
from plait.training.gather import gather_rows
from plait.training.loop import train
from plait.training.self_critical import SelfCritic
from plait.training.settings import TrainSettings
from plait.types import Batch


class Teacher(Protocol):
    """A model whose answers are learned beside the truth; see `plait.runs.teacher`."""

    def loss(self, predictions: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor: ...


class Objective:
    """The loss of a batch, with modality dropout, extra heads, and gradient modulation or blending as settings say.

    Args:
        settings: of the loop.
        targets: the tasks.
        model: what is trained.
        accelerator: of the run, where there are several processes.
        blend: weight of each modality's own loss, and of the whole model's (`JOINT`); None for those of the settings.
        teacher: whose answers are learned beside the truth; None for none.
        row_weights: how much each row of the table counts in training; None for all alike.

    Raises:
        RecipeError: gradients of encoders are to be modulated, and every encoder is frozen.
    """

    def __init__(
        self,
        settings: TrainSettings,
        targets: Targets,
        model: MultimodalModel,
        accelerator: Accelerator | None = None,
        blend: Mapping[str, float] | None = None,
        teacher: Teacher | None = None,
        row_weights: np.ndarray | None = None,
    ) -> None:
        self.settings, self.targets, self.blend, self.teacher = settings, targets, blend, teacher
        self.row_weights = None if row_weights is None else torch.from_numpy(row_weights).float()
        self.modulation: GradientModulation | None = None
        encoders: dict[str, Any] = dict(model.encoders.items())
        check_remedies(settings, model)
        model.chunk = settings.gradient_cache
        self.critic = SelfCritic(targets.writer, settings.seed) if targets.writer and settings.self_critical else None
        several = accelerator is not None and accelerator.num_processes > 1
        # Losses that compare the rows of a batch with each other look across processes.
        self.across = several and any(task.in_batch for task in targets.tasks.values())
        if settings.gradient_modulation and len(encoders) > 1:
            strength, seed = settings.gradient_modulation, settings.seed
            self.modulation = GradientModulation(encoders, targets.row_loss, strength, seed, accelerator)
            model.score_masked = True

    def __call__(self, model: Any, batch: Batch) -> torch.Tensor:
        settings = self.settings
        if settings.modality_dropout and model.training:
            batch = drop_modalities(batch, settings.modality_dropout)
        if model.training:
            batch = self.targets.prepare(batch, partial(self._score, model))
        output = model(batch)
        if self.across and model.training:  # rows of other processes are negatives too
            output.predictions, batch.targets = gather_rows(output.predictions, batch.targets)
        if self.critic is not None and model.training:
            likelihood = self.targets.loss(output.predictions, batch.targets)
            return (1 - settings.self_critical) * likelihood + settings.self_critical * self.critic(model, batch)
        if self.modulation is not None:
            self.modulation.note(output, batch.targets)
        of_rows: torch.Tensor | None = None
        if self.row_weights is not None and model.training:
            of_rows = self.row_weights[batch.rows].to(next(iter(batch.targets.values())).device)
        alone, whole = (settings.auxiliary or 1.0, 1.0) if self.blend is None else (self.blend, self.blend[JOINT])
        loss = self.targets.loss_of(output, batch.targets, alone, whole, of_rows)
        if self.teacher is None or not model.training:
            return loss
        share = settings.distillation
        return (1 - share) * loss + share * self.teacher.loss(output.predictions, batch)

    @torch.no_grad()
    def nonfinite_rows(self, model: Any, batch: Batch) -> list[int]:
        """Rows of a batch (from 1) for which the prediction or the loss is no finite number."""
        predictions = getattr(model, "module", model)(batch).predictions
        bad = torch.zeros(len(batch), dtype=torch.bool)
        for name, task in self.targets.tasks.items():
            predicted, target, rows = items_of(predictions[name], batch.targets[name].to(predictions[name].device))
            fine = task.row_loss(predicted, target).isfinite()
            if isinstance(predicted, torch.Tensor):
                fine &= predicted.flatten(1).isfinite().all(dim=1)
            bad |= ~(fine if rows is None else rows.row_means((~fine).float()) == 0).cpu()
        return (batch.rows[bad] + 1).tolist()

    @torch.no_grad()
    def _score(self, model: Any, name: str, candidates: Batch) -> torch.Tensor:
        """The present model's raw predictions for some rows."""
        unwrapped = getattr(model, "module", model)
        unwrapped.eval()
        scores: torch.Tensor = unwrapped(candidates).predictions[name]
        unwrapped.train()
        return scores

    @property
    def around_step(self) -> Callable[[int], AbstractContextManager[None]] | None:
        """The context that a step of the optimizer is taken in."""
        return self.modulation


def check_remedies(settings: TrainSettings, model: MultimodalModel, has_val: bool = True) -> None:
    """Refuse settings that could have no effect; a single modality needs no balance, so nothing is checked then.

    Raises:
        RecipeError: encoders that are all frozen are to be slowed, or losses weighed without validation rows.
    """
    if len(list(model.encoders)) < 2:
        return
    parameters = [p for _, encoder in model.encoders.items() for p in encoder.parameters()]
    if settings.gradient_modulation and not any(p.requires_grad for p in parameters):
        raise RecipeError(
            "train.gradient_modulation slows encoders down, and all of them are frozen; train one, or use "
            "train.modality_dropout or train.auxiliary"
        )
    if settings.gradient_blending and not has_val:
        raise RecipeError(
            "train.gradient_blending looks at validation rows, and data.val is none; leave one of them out"
        )


def blend_of(
    model: MultimodalModel,
    settings: TrainSettings,
    targets: Targets,
    source: Source,
    plan: BatchPlan,
    val: Rows | None,
    accelerator: Accelerator,
    workers: int = 0,
    row_weights: np.ndarray | None = None,
) -> dict[str, float] | None:
    """Weights for `Objective`; None where settings ask for none, or there is one modality only.

    Raises:
        RecipeError: there are no validation rows to estimate them on.
    """
    names = list(model.encoders)
    if not settings.gradient_blending or len(names) < 2:
        return None
    check_remedies(settings, model, has_val=val is not None)
    assert val is not None
    epochs = settings.gradient_blending
    short = replace(settings, epochs=epochs, time_limit=None, gradient_blending=0, patience=0, ema=0.0)

    def train_one(twin: MultimodalModel, chosen: str) -> None:
        only = {name: float(name == chosen) for name in (*names, JOINT)}
        objective = Objective(short, targets, twin, accelerator, only, row_weights=row_weights)
        around = objective.around_step
        train(twin, source, plan, objective, short, accelerator=accelerator, workers=workers, around_step=around)

    return estimate_blend(model, train_one, targets.loss, (source, plan.rows), val, accelerator.device)
