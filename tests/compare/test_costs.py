"""What a model costs, counted by hand."""

import time
from typing import Any

import pytest
from torch import nn

from fakes import FakeEncoder
from plait.compare.costs import median_ms, peak_bytes, reset_peak, size_of
from plait.heads import PredictHead, TreeHead
from plait.model import MultimodalModel


def test_the_median_leaves_out_two_calls_that_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    took = iter([90.0, 80.0, 1.0, 2.0, 50.0])
    clock = [0.0]
    calls = []

    def work() -> None:
        calls.append(clock[0])
        clock[0] += next(took)

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    assert median_ms(work, rounds=3) == 2000.0 and len(calls) == 5


def test_parameters_that_train_and_nodes_of_trees() -> None:
    def model(head: Any) -> MultimodalModel:
        return MultimodalModel({"a": FakeEncoder()}, nn.Identity(), head)

    head = PredictHead(6, {"y": 3})
    assert size_of(model(head)) == (4 * 8 + 8) + (6 * 3 + 3)
    head.requires_grad_(False)
    assert size_of(model(head)) == 40
    trees = TreeHead({"y": 2})
    assert size_of(model(trees)) == len(trees.feature)


def test_the_peak_holds_what_was_given_back() -> None:
    reset_peak()
    before = peak_bytes()
    held = bytearray(80_000_000)
    held[::4096] = b"x" * len(held[::4096])
    del held
    assert peak_bytes() >= before + 60_000_000
