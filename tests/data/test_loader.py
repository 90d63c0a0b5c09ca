"""Batches in their order, whoever makes them."""

import threading
import time

import numpy as np
import pytest

from plait.data.batches import TableSource
from plait.data.loader import load


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_loader_keeps_order_and_raises_in_place(source: TableSource, workers: int) -> None:
    rows = [np.array([i % 5]) for i in range(20)]
    assert [batch.rows.item() for batch in load(source, rows, workers)] == [i % 5 for i in range(20)]
    loaded = load(source, [np.array([0]), np.array([99])], workers)
    assert next(loaded).rows.item() == 0
    with pytest.raises(Exception, match="out of bounds"):
        next(loaded)
    loaded.close()
    stopped = load(source, iter(rows), workers)
    next(stopped)
    stopped.close()  # leaves no thread that would decode on
    deadline = time.monotonic() + 10
    while threads := [t for t in threading.enumerate() if t.name.startswith("plait-load")]:
        assert time.monotonic() < deadline, threads
        time.sleep(0.01)
