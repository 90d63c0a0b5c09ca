"""The state of random number generators, which plait seeds for itself and gives back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_randomness() -> Iterator[None]:
    """The caller's generators (torch, numpy, Python) go on afterwards as if nothing had been seeded or drawn within.

    Also a decorator.

    >>> _ = torch.manual_seed(1)
    >>> before = torch.get_rng_state()
    >>> with own_randomness():
    ...     _ = torch.manual_seed(2)
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    # A GPU that nobody has used yet is not woken: waking it takes memory, in every process of a launch.
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
