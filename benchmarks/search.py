"""Search: exact and approximate, against faiss, in one run."""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from benchmarks.measure import Row, interleaved, rate, row
from plait.search.exact import OFTEN, ExactIndex
from plait.training.precision import has_bfloat16

ROWS, WIDTH, K = 100_000, 512, 10
CLUSTERS, SPREAD = 1_000, 0.6  # of embeddings that real things make: they come in groups
TUNED = 20  # faiss.cvar.distance_compute_blas_threshold of the honest peer
PROBES, REFINED = 20, 4  # as plait.search asks LanceDB


def run() -> list[Row]:
    """Queries a second of exact search over 100,000 x 512, top 10, and of LanceDB's index as plait builds it."""
    vectors, queries = _clustered()
    threads = torch.get_num_threads()
    faiss.omp_set_num_threads(threads)
    ours = ExactIndex(vectors, has_bfloat16(torch.device("cpu")))
    peer = faiss.IndexFlatIP(WIDTH)
    peer.add(vectors)
    usual = faiss.cvar.distance_compute_blas_threshold
    found = []
    for count in (1, 100):
        asked = queries[:count]

        def plait(asked: np.ndarray = asked) -> int:
            return len(ours.search(asked, K)[0])

        def flat(threshold: int, asked: np.ndarray = asked) -> int:
            faiss.cvar.distance_compute_blas_threshold = threshold
            return len(peer.search(asked, K)[0])

        same = _same(ours.search(asked, K)[1], peer.search(asked, K)[1])
        contestants = {"plait": plait, "faiss": partial(flat, usual), "tuned": partial(flat, TUNED)}
        if count == 1:  # an index that is asked again and again keeps a copy in 8 bits
            for query in vectors[:OFTEN]:
                ours.search(query[None], K)
            contestants["first"] = lambda asked=asked: len(ExactIndex(vectors).search(asked, K)[0])
        rates = interleaved({name: partial(_often, work, count) for name, work in contestants.items()})
        name = f"search: exact, {count} at once"
        found.append(row(f"{name}, faiss flat", rates["faiss"], "queries/s", "", None))
        found.append(row(f"{name}, faiss flat, tuned", rates["tuned"], "queries/s", "", None))
        for against, label in (("faiss", "faiss flat"), ("tuned", "faiss flat, tuned")):
            found.append(row(f"{name}, plait", rates["plait"], "queries/s", label, rates["plait"] / rates[against]))
        if count == 1:
            label = f"{name}, plait, the first {OFTEN - 1}"
            found.append(row(label, rates["first"], "queries/s", "faiss flat", rates["first"] / rates["faiss"]))
        found.append(row(f"{name}, same answers", same, "share", "faiss flat", None))
    limit = ROWS * WIDTH * 4 / _memory_bandwidth(vectors)
    one = next(entry["value"] for entry in found if entry["name"] == "search: exact, 1 at once, plait")
    found.append(row("search: exact, 1 at once, plait", one, "queries/s", "reading the vectors once", one * limit))
    return found + _approximate(vectors, queries, peer)


def _clustered() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(CLUSTERS, WIDTH)).astype(np.float32)
    rows = centres[random.integers(0, CLUSTERS, ROWS + 200)]
    rows += SPREAD * random.normal(size=rows.shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[:ROWS], np.ascontiguousarray(rows[ROWS:])


def _often(work: Any, count: int) -> float:
    """Queries a second, over enough calls to be timed."""
    times = 20 if count == 1 else 2
    return rate(lambda: sum(work() for _ in range(times)))


def _same(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)]))


def _memory_bandwidth(vectors: np.ndarray) -> float:
    """Bytes a second of a sum over the vectors by all threads."""
    tensor = torch.from_numpy(vectors)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        tensor.sum()
        best = max(best, tensor.nbytes / (time.perf_counter() - start))
    return best


def _approximate(vectors: np.ndarray, queries: np.ndarray, peer: Any) -> list[Row]:
    import lancedb
    import pyarrow as pa

    truth = peer.search(queries, K)[1]
    with tempfile.TemporaryDirectory() as folder:
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH)
        table = lancedb.connect(Path(folder)).create_table("rows", pa.table({"n": np.arange(ROWS), "vector": flat}))
        start = time.perf_counter()
        parts = int(np.clip(ROWS**0.5, 64, 4096))
        table.create_index("vector", config=lancedb.index.IvfFlat(distance_type="dot", num_partitions=parts))
        seconds = time.perf_counter() - start

        def ask(query: np.ndarray) -> list[int]:
            asked = table.search(query, vector_column_name="vector").distance_type("dot").nprobes(PROBES)
            return asked.refine_factor(REFINED).select(["n", "_distance"]).limit(K).to_arrow().column("n").to_pylist()

        found = np.array([ask(query) for query in queries])
        speed = rate(lambda: len([ask(query) for query in queries]))
    recall = _same(found, truth)
    return [
        row("search: approximate (LanceDB), 1 at once", speed, "queries/s", "", None),
        row("search: approximate (LanceDB), recall at 10", recall, "share", "exact", None),
        row("search: approximate (LanceDB), building the index", seconds, "s", "", None),
    ]
