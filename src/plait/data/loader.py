"""Batches made ahead in threads, in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from plait.data.batches import Source
from plait.types import Batch


def load(source: Source, batches: Iterable[np.ndarray], workers: int = 0) -> Iterator[Batch]:
    """Batches of a source, prepared ahead by threads.

    Decoders and tokenisers release the interpreter's lock, so threads keep two cores busy without copying a batch
    between processes. Order and contents do not depend on the number of workers.

    Args:
        source: makes batches.
        batches: row numbers of each.
        workers: threads; 0 makes each batch when it is asked for, which is best for rows that are tensors already.

    Raises:
        DataError: from the source, at the batch that failed.
    """
    if workers == 0:
        for rows in batches:
            yield source.batch(rows)
        return
    ahead: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="plait-load")
    try:
        for rows in batches:
            ahead.append(pool.submit(source.batch, rows))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
