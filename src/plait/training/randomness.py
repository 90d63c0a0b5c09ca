"""The state of random number generators, which plait seeds for itself and gives back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_randomness() -> Iterator[None]:
    """Whatever is seeded or drawn within, the caller's generators (torch, numpy, Python) go on as if it had not been.

    Also a decorator.

    >>> _ = torch.manual_seed(1)
    >>> before = torch.get_rng_state()
    >>> with own_randomness():
    ...     _ = torch.manual_seed(2)
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    # A GPU that nobody has used yet is left asleep: waking it takes memory, in every process of a launch.
    here = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=here):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
