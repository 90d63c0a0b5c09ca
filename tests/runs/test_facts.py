"""What a run says of itself: versions, parameters, seconds."""

import time
from importlib.metadata import version

import pytest
from torch import nn

from fakes import FakeEncoder
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.runs.facts import Stopwatch, environment, parameter_rows


def test_parameters_are_counted_part_by_part() -> None:
    fusion, head = ConcatFusion({"a": 8, "b": 8}, 6), PredictHead(6, {"y": 3})
    model = MultimodalModel({"a": FakeEncoder(), "b": FakeEncoder()}, fusion, head)
    model.encoders["b"].requires_grad_(False)
    model.head.targets["y"].requires_grad_(False)
    rows = {name: (count, trains) for name, count, trains in parameter_rows(model)}
    mix = 12 * 6 + 6
    projected = sum(p.numel() for p in fusion.project.parameters())
    assert rows["encoder a"] == (4 * 8 + 8, 40) and rows["encoder b"] == (40, 0)
    assert rows["fusion"] == (projected + mix, projected + mix) and rows["head"] == (6 * 3 + 3, 0)
    assert rows["all"] == (80 + projected + mix + 21, 40 + projected + mix) and "missing tokens" not in rows


def test_tokens_that_stand_in_for_what_is_missing_are_a_part() -> None:
    fusion, head = ConcatFusion({"a": 8, "b": 8}, 6), PredictHead(6, {"y": 3})
    model = MultimodalModel({"a": FakeEncoder(), "b": FakeEncoder()}, fusion, head, missing_token=True)
    rows = parameter_rows(model)
    assert [name for name, *_ in rows] == ["encoder a", "encoder b", "missing tokens", "fusion", "head", "all"]
    assert rows[2] == ("missing tokens", 16, 16)  # 8 numbers a modality
    assert isinstance(model.missing_tokens, nn.Module)


def test_versions_are_those_of_the_packages() -> None:
    found = environment()
    assert found["torch"] == version("torch") and found["plait"] == version("plait")
    assert found["python"].count(".") == 2 and all(found.values())


def test_laps_of_one_name_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 12.0, 15.0, 15.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    watch = Stopwatch()
    for name in ("reading", "training", "reading"):
        watch.lap(name)
    assert watch.seconds == {"reading": 2.5, "training": 3.0}
