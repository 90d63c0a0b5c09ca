"""The narrow copy misses none of the best."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.search.int8_index import Int8Index


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(64, 900),
    dim=st.integers(1, 70),
    k=st.integers(1, 14),
    kind=st.sampled_from(["spread", "groups", "spikes", "zeros", "twins"]),
)
def test_the_narrow_copy_misses_none_of_the_best(count: int, dim: int, k: int, kind: str) -> None:
    random = np.random.default_rng(count * 71 + dim)
    vectors = random.normal(size=(count, dim)).astype(np.float32)
    if kind == "groups":
        vectors += 3 * random.normal(size=(9, dim)).astype(np.float32)[random.integers(0, 9, count)]
    elif kind == "spikes":  # one number takes the whole scale
        vectors[np.arange(count), random.integers(0, dim, count)] *= 1000
    elif kind == "zeros":
        vectors[::3] = 0
    elif kind == "twins":
        vectors[count // 2 :] = vectors[: count - count // 2]
    narrow = Int8Index(torch.from_numpy(vectors))
    k = min(k, narrow.deepest)
    for query in random.normal(size=(3, dim)).astype(np.float32):
        found = narrow.candidates(torch.from_numpy(query), k)
        if found is None:
            continue
        exact = vectors.astype(np.float64) @ query
        best = np.sort(exact)[::-1][:k]
        assert np.allclose(np.sort(exact[found.numpy()])[::-1][:k], best, atol=1e-9)
    assert narrow.candidates(torch.full((dim,), torch.nan), k) is None
