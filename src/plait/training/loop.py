"""The training loop: all of it on this page.

Data comes in, weights go out. What is trained and how it is validated are the caller's (`loss_of`, `validate`);
devices and processes are Accelerate's, so `accelerate launch` and `torchrun` run the same code.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from plait.data.batches import Source
from plait.data.loader import load
from plait.data.plan import BatchPlan
from plait.errors import PlaitError
from plait.training.checkpoint import (
    BEST,
    LAST,
    Progress,
    load_checkpoint,
    load_state,
    load_tensors,
    save_checkpoint,
    save_tensors,
    trained_state,
)
from plait.training.devices import agreed, make_accelerator
from plait.training.interrupt import StopRequest
from plait.training.optimizer import clip_gradients, make_optimizer, names_within, set_rate
from plait.training.pace import EVALUATE, LOSS, Metric, pace_of
from plait.training.precision import autocast, products
from plait.training.settings import TrainSettings
from plait.training.sharding import local, sharded_copy, share_buffers, whole
from plait.types import Batch

AGREE_EVERY = 20  # steps between two moments at which processes ask each other whether to stop or save
LossOf = Callable[[nn.Module, Batch], Tensor]
Validate = Callable[[nn.Module], dict[str, float]]


class Listener(Protocol):
    """Hears what happens in training, to show or record it."""

    def step(self, epoch: int, step: int, steps: int, loss: float, rate: float) -> None: ...

    def epoch(self, record: dict[str, Any], best: bool) -> None: ...


class Interrupted(PlaitError):
    """The user stopped the run; the last checkpoint holds everything."""


def train(
    model: nn.Module,
    source: Source,
    plan: BatchPlan,
    loss_of: LossOf,
    settings: TrainSettings,
    *,
    validate: Validate | None = None,
    metric: Metric = LOSS,
    pretrained: Iterable[nn.Module] = (),
    folder: Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    accelerator: Accelerator | None = None,
    workers: int = 0,
    nonfinite_rows: Callable[[nn.Module, Batch], Sequence[int]] | None = None,
    around_step: Callable[[int], AbstractContextManager[None]] | None = None,
) -> Progress:
    """Train a model in place; afterwards it holds the weights of the best epoch.

    Args:
        model: what trains; parameters without `requires_grad` stay as they are.
        source, plan: the rows, and which form a batch.
        loss_of: `(model, batch) -> scalar`.
        settings: `precision` must be decided; `auto` counts as float32.
        validate: model → metrics of the validation rows; None to keep the last epoch.
        metric: which of them picks the best epoch; while it is not among them, their `loss` does.
        pretrained: modules that learn at `encoder_learning_rate`.
        folder: for `last.safetensors` and `best.safetensors`; None to write nothing.
        resume: go on from `last.safetensors`; on a CPU the weights end as an uninterrupted run's, bit by bit.
        listener: told of steps and epochs.
        accelerator: by default one for `settings.device`.
        workers: threads that prepare batches.
        nonfinite_rows: rows of a batch (from 1) whose loss is no number; they are named where training must stop.
        around_step: called with the number of batches done; gradients are clipped and used within what it gives.

    Raises:
        Interrupted: Ctrl-C; the state was saved.
        PlaitError: the loss is no longer a number.
    """
    accelerator = accelerator or make_accelerator(settings.device)
    device, main, ranks = accelerator.device, accelerator.is_main_process, accelerator.num_processes
    slow_rate = settings.encoder_learning_rate or settings.learning_rate / 10
    original, slow = model, names_within(model, pretrained)
    sharded = settings.shard and ranks > 1
    model = sharded_copy(model, device) if sharded else model.to(device)
    optimizer = make_optimizer(
        model, settings.learning_rate, slow_rate, settings.weight_decay, slow, settings.optimizer
    )
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    wrapped = accelerator.prepare(model) if ranks > 1 and not sharded else model
    live = trained_state(model)  # views that follow the model; taken last, because DDP moves weights to new memory
    ema = {name: tensor.clone() for name, tensor in live.items()} if settings.ema else None
    last, best = (folder / LAST, folder / BEST) if folder else (None, None)
    best_state: dict[str, Tensor] | None = None
    progress = Progress()
    if resume and last is not None and last.exists():
        progress = load_checkpoint(last, model, optimizer, ema)
    accumulate, pace = settings.gradient_accumulation_steps, pace_of(settings, plan.steps, validate is not None)
    saved_at, session, base_seconds = time.monotonic(), time.monotonic(), progress.seconds

    def save() -> None:
        nonlocal saved_at
        progress.seconds = base_seconds + time.monotonic() - session
        if last is not None and (main or sharded):
            save_checkpoint(last, model, optimizer, ema, progress, main)
        saved_at = time.monotonic()

    def late() -> bool:
        """Whether the time that was given is used up, but for the fall of the rate."""
        if settings.time_limit is None:
            return False
        spent = base_seconds + time.monotonic() - session
        return agreed(accelerator, spent >= pace.share * settings.time_limit)[0]

    def validated() -> dict[str, float]:
        if validate is None:
            return {}
        if sharded:
            share_buffers(model)
        if ema is None:
            return validate(model)
        live_copy = {name: tensor.clone() for name, tensor in live.items()}
        model.load_state_dict(ema, strict=False)  # the average is what is judged and saved
        try:
            return validate(model)
        finally:
            model.load_state_dict(live_copy, strict=False)

    with StopRequest() as stop, products(settings.precision):
        while progress.epoch < min(progress.end or pace.most, pace.most):
            epoch = progress.epoch
            wrapped.train()
            epoch_start = time.monotonic()
            for batch in load(source, plan.epoch(epoch, skip=progress.step), workers):
                done = epoch * plan.steps + progress.step
                boundary = (progress.step + 1) % accumulate == 0 or progress.step + 1 == plan.steps
                with autocast(settings.precision, device):
                    loss = loss_of(wrapped, batch.to(device))
                accelerator.backward(loss if accumulate == 1 else loss / accumulate)
                value = float(loss.detach())  # waits for the device, which has the backward pass to do meanwhile
                if not math.isfinite(value):  # before it reaches a weight
                    bad = [] if nonfinite_rows is None else nonfinite_rows(model, batch)
                    raise PlaitError(_broken(value, progress, bad, len(batch)))
                # Gradients add up until the last batch of an accumulation, or of the epoch; then the weights change.
                rate = pace.rate(done, progress)
                if boundary:
                    with nullcontext() if around_step is None else around_step(done):
                        if settings.clip:
                            clip_gradients(accelerator, weights, settings.clip)
                        set_rate(optimizer, rate)
                        optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                    if ema is not None:
                        _average(ema, live, settings.ema)
                progress.step += 1
                progress.loss_sum += value
                progress.loss_count += 1
                if listener is not None and main and (progress.step % 20 == 1 or progress.step == plan.steps):
                    mean = progress.loss_sum / progress.loss_count
                    listener.step(epoch, progress.step, plan.steps, mean, rate * settings.learning_rate)
                if boundary and (ranks == 1 or progress.step % AGREE_EVERY == 0):
                    due = time.monotonic() - saved_at > 60 * settings.checkpoint_minutes
                    stopping, due = agreed(accelerator, stop.asked, due)
                    if stopping or due:
                        save()
                    if stopping:
                        raise Interrupted(f"stopped in epoch {epoch + 1} at step {progress.step} of {plan.steps}")
            record: dict[str, Any] = {
                "epoch": epoch + 1,
                "loss": progress.loss_sum / max(1, progress.loss_count),
                "learning_rate": pace.rate((epoch + 1) * plan.steps - 1, progress) * settings.learning_rate,
                "train_seconds": time.monotonic() - epoch_start,
            }
            if pace.due(epoch, progress):
                record["val"] = validated()
            is_best = pace.judge(record, metric, progress, late())
            progress.history.append(record)
            progress.epoch, progress.step, progress.loss_sum, progress.loss_count = epoch + 1, 0, 0.0, 0
            if is_best and best is None:  # no folder to write to: kept in memory
                best_state = {name: tensor.clone() for name, tensor in (ema if ema is not None else live).items()}
            if is_best and best is not None and (main or sharded):
                state = whole(ema if ema is not None else live)
                if main:
                    save_tensors(state, best, {"epoch": epoch + 1})
            ended = progress.epoch >= min(progress.end or pace.most, pace.most)
            if listener is not None and main:  # before the save: after a kill in between it is told twice, not never
                listener.epoch(record, is_best)
            if "val" in record or ended or plan.steps >= EVALUATE:  # epochs of a few steps are done again sooner
                save()
            if not ended and agreed(accelerator, stop.asked)[0]:
                save()
                raise Interrupted(f"stopped after epoch {epoch + 1}")
    # The caller's model gets the best weights: from the file, from memory, or out of the shards.
    accelerator.wait_for_everyone()
    if best is not None and best.exists():
        load_state(original, load_tensors(best)[0], best, complete=False)
    elif best_state is not None or sharded or ema is not None:
        original.load_state_dict(whole(best_state or (ema if ema is not None else live)), strict=False)
    original.to(device)
    return progress


def _average(ema: dict[str, Tensor], live: dict[str, Tensor], decay: float) -> None:
    moving = [name for name in ema if ema[name].is_floating_point()]
    torch._foreach_lerp_([local(ema[name]) for name in moving], [local(live[name]) for name in moving], 1 - decay)
    for name in ema.keys() - set(moving):
        local(ema[name]).copy_(local(live[name]))


def _broken(loss: float, progress: Progress, rows: Sequence[int], size: int) -> str:
    """The message about a loss that is no number."""
    where = f"the loss became {loss} in epoch {progress.epoch + 1} at step {progress.step + 1}"
    reassurance = "nothing of it was learned, and what was saved before is good"
    if 0 < len(rows) < size:
        named = ", ".join(map(str, rows[:8])) + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")
        return f"{where}, of row {named} of the training table; {reassurance}. Look at these rows' values (plait check)"
    return f"{where}; {reassurance}. Lower train.learning_rate, set train.precision=float32, or look for extreme values"
