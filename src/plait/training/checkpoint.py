"""One file per checkpoint, replaced in one step: safetensors, with the progress in the header. No pickle."""

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from plait.errors import RunError
from plait.files.atomic import replacing, unwritable
from plait.files.reading import checked, open_plain, parse_json
from plait.training.sharding import laid_out_as, whole

VERSION = 1
FORMER = re.compile(r"^(model\.|ema\.)?absent\.")  # how some names of tensors began until 0.1
MOMENTS = {"adam": {"step", "exp_avg", "exp_avg_sq"}, "sgd": {"momentum_buffer"}}  # what optimizers keep of a weight
LAST, BEST = "last.safetensors", "best.safetensors"  # in a folder of checkpoints


@dataclass
class Progress:
    """How far a run has come: all that the loop knows beyond weights.

    Args:
        epoch: the epoch that is running, from 0.
        step: batches of it that are done.
        best: the best value of the metric so far.
        best_loss: the validation loss then.
        best_epoch: when that was.
        history: one dict an epoch that is done.
        loss_sum, loss_count: of the running epoch.
        seconds: trained so far.
        end: epochs after which training ends, where that is known earlier than planned.
        converged: whether validation had stopped to improve; None while it trains, and without validation.
        cooling: of an open-ended run, the epochs after which the learning rate began to fall.
        level: of an open-ended run, the best mean of several evaluations, of which more is better.
        lowest: likewise the mean validation loss at the last progress.
        stale: likewise, evaluations without progress.
    """

    epoch: Annotated[int, Ge(0)] = 0
    step: Annotated[int, Ge(0)] = 0
    best: float | None = None
    best_loss: float = 0.0
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0
    end: Annotated[int, Ge(0)] | None = None
    converged: bool | None = None
    cooling: Annotated[int, Ge(0)] | None = None
    level: float | None = None
    lowest: float | None = None
    stale: Annotated[int, Ge(0)] = 0


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: Mapping[str, Any] | None = None) -> None:
    """Write tensors so that a kill at any moment leaves either the old file or the new one.

    Raises:
        RunError: the disk is full or the folder not writable; the old file is untouched.
    """
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as beside:
        try:
            save_file(plain, beside, {"plait": json.dumps({"version": VERSION, **(header or {})})})
        except SafetensorError as error:
            raise unwritable(path, error) from error
        beside.chmod(0o666 & ~_umask())  # safetensors lets only the owner read what it writes
        with beside.open("rb+") as file:
            os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_tensors(path: Path, only: Collection[str] | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote: tensors (all, or the named ones) and header.

    Raises:
        RunError: missing, truncated, or from a newer version.
    """
    open_plain(path, RunError).close()  # refuses a pipe, for whose data safetensors would wait
    try:
        with safe_open(path, framework="pt") as file:
            parsed = parse_json((file.metadata() or {}).get("plait", "{}"), path, RunError)
            header: dict[str, Any] = checked(parsed, dict[str, Any], path, RunError)
            names = file.keys() if only is None else only
            tensors = {_present_name(name): file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such file") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{path}: the weight file is damaged or truncated ({error})") from error
    version = checked(header.get("version", VERSION), int, f"{path}: version", RunError)
    if version > VERSION:
        raise RunError(f"{path}: written by a newer plait (format {version}, this one reads {VERSION}); upgrade")
    return tensors, dict(header)


def _present_name(name: str) -> str:
    """The name that a tensor has in today's models.

    >>> _present_name("ema.absent._by_position.0.vector"), _present_name("head.absent.weight")
    ('ema.missing_tokens._by_position.0.vector', 'head.absent.weight')
    """
    return FORMER.sub(r"\1missing_tokens.", name)


def progress_of(path: Path) -> Progress:
    """How far a checkpoint has come, without its tensors; the beginning where there is none.

    Raises:
        RunError: damaged, or from a newer version.
    """
    if not path.exists():
        return Progress()
    done: Progress = checked(load_tensors(path, only=())[1].get("progress"), Progress, f"{path}: progress", RunError)
    return done


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: Mapping[str, Tensor] | None,
    progress: Progress,
    main: bool = True,
) -> None:
    """Everything that an uninterrupted run would have: weights, optimizer, average, random state, progress.

    All processes of a sharded run call it together; the `main` one writes, whole tensors.
    """
    tensors = {f"model.{name}": tensor for name, tensor in trained_state(model).items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()})
    tensors.update({f"ema.{name}": tensor for name, tensor in (ema or {}).items()})
    tensors = whole(tensors)
    if not main:
        return
    tensors["random.torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    save_tensors(tensors, path, {"progress": asdict(progress)})


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, ema: dict[str, Tensor] | None
) -> Progress:
    """Restore what `save_checkpoint` wrote, in place.

    Raises:
        RunError: missing, damaged, or of another model.
    """
    tensors, header = load_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "ema": {}, "random": {}}
    progress: Progress = checked(header.get("progress"), Progress, f"{path}: progress", RunError)
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise RunError(f"{path}: the checkpoint is damaged (holds {name[:60]!r}); start a new run with -o")
        parts[part][rest] = tensor
    if set(parts["model"]) != set(trained_state(model)):
        raise RunError(f"{path}: the checkpoint is of another model; start a new run with -o")
    load_state(model, parts["model"], path, complete=False)
    # The optimizer numbers its weights in the order of its groups; its state is checked against them one by one.
    weights = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    kind = "sgd" if isinstance(optimizer, torch.optim.SGD) else "adam"
    for name, tensor in parts["optimizer"].items():
        index, _, key = name.partition(".")
        other = f"{path}: the checkpoint is of another optimizer ({name[:60]!r}); start a new run with -o"
        if re.fullmatch(r"[0-9]{1,9}", index) is None or int(index) >= len(weights) or key not in MOMENTS[kind]:
            raise RunError(other)
        weight = weights[int(index)]
        if not _fits(tensor, torch.zeros(()) if key == "step" else weight):
            raise RunError(other)
        if key != "step":  # a fused optimizer ignores strides: a moment needs its weight's layout in memory
            tensor = torch.empty_like(weight, requires_grad=False).copy_(laid_out_as(tensor, weight))
        state.setdefault(int(index), {})[key] = tensor
    for number, moments in state.items():
        if set(moments) != MOMENTS[kind]:
            lacking = ", ".join(sorted(MOMENTS[kind] - set(moments)))
            raise RunError(f"{path}: the optimizer's state {number} lacks {lacking}; start a new run with -o")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    if not set(ema or {}) <= set(parts["ema"]) or "torch" not in parts["random"]:
        raise RunError(f"{path}: the checkpoint lacks its average or its random state; start a new run with -o")
    for name, tensor in (ema or {}).items():
        if not _fits(parts["ema"][name], tensor):
            raise RunError(f"{path}: the average of {name} is of another model; start a new run with -o")
        tensor.copy_(laid_out_as(parts["ema"][name], tensor))
    try:
        torch.set_rng_state(parts["random"]["torch"])
        if "cuda" in parts["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(parts["random"]["cuda"])
    except (RuntimeError, TypeError) as error:
        raise RunError(f"{path}: the random state is damaged ({str(error)[:80]}); start a new run with -o") from error
    return progress


def _fits(tensor: Tensor, ours: Tensor) -> bool:
    """Whether a tensor of a file can stand for one of ours: as large, and floats for floats."""
    return tensor.shape == ours.shape and _kind(tensor) == _kind(ours)


def _kind(tensor: Tensor) -> str:
    return "float" if tensor.is_floating_point() else "complex" if tensor.is_complex() else "whole"


def load_state(model: nn.Module, tensors: Mapping[str, Tensor], path: Path, complete: bool = True) -> None:
    """Copy tensors into a model.

    Raises:
        RunError: names or shapes differ.
    """
    current = model.state_dict()
    for name, tensor in tensors.items():
        if name in current and _kind(tensor) != _kind(current[name]):  # torch would cast silently
            raise RunError(f"{path}: the weights do not fit the recipe ({name} holds {tensor.dtype})")
    laid_out = {
        name: laid_out_as(tensor, current[name]) if name in current else tensor for name, tensor in tensors.items()
    }
    try:
        missing, extra = model.load_state_dict(laid_out, strict=False)
    except RuntimeError as error:
        raise RunError(f"{path}: the weights do not fit the recipe ({str(error).splitlines()[-1].strip()})") from error
    if extra or (complete and missing):
        raise RunError(f"{path}: the weights do not fit the recipe (first difference: {(extra or missing)[0]})")


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The state that training can change: parameters that train, and buffers of parts that have some."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    still = [
        f"{name}."
        for name, module in model.named_modules()
        if name and (parameters := list(module.parameters())) and not any(p.requires_grad for p in parameters)
    ]
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name not in frozen and not name.startswith(tuple(still))
    }
