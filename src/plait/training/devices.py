"""Where a model runs."""

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from plait.errors import RecipeError


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

    Raises:
        RecipeError: this machine has no such device.
    """
    device = pick_device(name)
    # A batch in which no row has some modality leaves that encoder without a gradient.
    handlers = [DistributedDataParallelKwargs(find_unused_parameters=True)]
    return Accelerator(cpu=device.type == "cpu", kwargs_handlers=handlers)
