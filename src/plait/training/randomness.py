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
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
