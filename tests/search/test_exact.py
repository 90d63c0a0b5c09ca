"""Exact search is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.search import ExactIndex, exact


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 700), k=st.integers(1, 30), queries=st.integers(1, 40), half=st.booleans())
def test_exact_search_is_exact(count: int, k: int, queries: int, half: bool) -> None:
    random = np.random.default_rng(count * 31 + k)
    vectors = random.normal(size=(count, 16)).astype(np.float32)
    asked = random.normal(size=(queries, 16)).astype(np.float32)
    scores, places = ExactIndex(vectors, half).search(asked, k)
    expected = np.sort(asked @ vectors.T, axis=1)[:, ::-1][:, :k]
    assert np.allclose(scores, expected, atol=1e-5)
    assert np.allclose(np.einsum("qkd,qd->qk", vectors[places], asked), scores, atol=1e-5)
    allowed = random.random(count) < 0.5
    _, some = ExactIndex(vectors, half).search(asked, k, allowed)
    assert allowed[some].all() and some.shape[1] == min(k, allowed.sum())


def test_an_index_that_is_asked_often_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.search.exact.LARGE", 1)
    random = np.random.default_rng(0)
    vectors, asked = (random.normal(size=(count, 64)).astype(np.float32) for count in (5000, 6))
    index = ExactIndex(vectors)
    before = [index.search(query[None], 10) for query in asked]
    for _ in range(exact.OFTEN):
        index.search(asked[:1], 10)
    assert index._narrow is not None
    for query, (scores, places) in zip(asked, before, strict=True):
        again, same = index.search(query[None], 10)
        assert same.tolist() == places.tolist() and np.allclose(again, scores, atol=1e-5)
    close = ExactIndex(vectors / 1000 + 1)  # nothing to tell apart in 8 bits: all of them are candidates
    answers = [close.search(asked[:1], 3)[1].tolist() for _ in range(exact.OFTEN + 2)]
    assert close._narrow is None and all(answer == answers[0] for answer in answers)
