"""Where a model runs."""

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, DistributedType

from plait.errors import RecipeError

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)


def pick_device(name: str = "auto") -> torch.device:
    """The device of a name; `auto` takes a GPU where there is one.

    Raises:
        RecipeError: this machine has no such device.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if here[kind])
    if not here.get(name, False):
        raise RecipeError(f"device {name!r} is not here; this machine has {', '.join(k for k in here if here[k])}")
    return torch.device(name)


def make_accelerator(name: str = "auto") -> Accelerator:
    """Accelerate's view of this process: its device, its rank, how it talks to others.

    Accelerate keeps the first device that a process asked for, and refuses or even ignores a second one. So its state
    is reset where the process is the only one, which may then train on one device after another.

    Raises:
        RecipeError: this machine has no such device, or the launcher shards the model itself.
    """
    device = pick_device(name)
    # A batch in which no row has some modality leaves that encoder without a gradient.
    handlers = [DistributedDataParallelKwargs(find_unused_parameters=True)]
    if is_initialized() and PartialState().num_processes == 1 and PartialState().device.type != device.type:
        AcceleratorState._reset_state(reset_partial_state=True)  # there is no public way
    accelerator = Accelerator(cpu=device.type == "cpu", kwargs_handlers=handlers)
    if accelerator.distributed_type in SHARDED:  # ours hands whole weights back (training/sharding.py)
        raise RecipeError(
            f"{accelerator.distributed_type.value}: plait shards by itself; launch it with torchrun, or with an "
            "accelerate config that does not shard, and set train.shard=true"
        )
    return accelerator


def agreed(accelerator: Accelerator, *wishes: bool) -> tuple[bool, ...]:
    """What any process wishes, all do: a saved or stopped step is the same step everywhere."""
    if accelerator.num_processes == 1:
        return wishes
    counts = accelerator.reduce(torch.tensor(wishes, dtype=torch.int32, device=accelerator.device), "sum")
    return tuple(bool(count) for count in counts)
