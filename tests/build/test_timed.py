"""What answers at which steps, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait import Predictor
from plait.alignment import ClockFusion, LagFusion
from plait.errors import RecipeError
from plait.heads import EventsHead, PredictHead, SplitHead, TogetherHead

TRAIN = {"epochs": 1, "batch_size": 4, "device": "cpu", "precision": "float32"}
TYPES = {"left": "series", "right": "series", "note": "category"}


def table(rows: int = 12) -> pd.DataFrame:
    random = np.random.default_rng(0)
    hits = [[{"start": 0.5, "end": 1.0}], [], [{"start": 2.0, "end": 2.5}]]
    return pd.DataFrame({
        "left": [[{"time": t / 2, "value": v} for t, v in enumerate(random.normal(size=8))] for _ in range(rows)],
        "right": [[{"time": t / 2, "value": v} for t, v in enumerate(random.normal(size=8))] for _ in range(rows)],
        "note": ["a", "b", "c"] * (rows // 3),
        "hits": [hits[row % 3] for row in range(rows)],
        "kind": ["x", "y"] * (rows // 2),
        "delay": [0, 500, -500] * (rows // 3),
    })  # fmt: skip


def fitted(target: Any, ignored: tuple[str, ...] = (), **options: Any) -> Predictor:
    types = {**TYPES, **dict.fromkeys(ignored, "ignore")}
    frame = table().drop(columns=[name for name in ("hits", "kind", "delay") if name not in np.ravel(target)])
    return Predictor(target, types=types, verbose=False, **{"train": TRAIN, **options}).fit(frame)


def test_a_clocks_ticks_answer_for_all_inputs() -> None:
    model: Any = fitted("hits", fusion={"clock": 0.5}).model_
    assert isinstance(model.fusion, ClockFusion) and isinstance(model.head, EventsHead) and model.head.reads is None


def test_one_input_with_a_time_answers_by_itself_and_of_several_the_named_one() -> None:
    assert fitted("hits", ("right",)).model_.head.reads == "left"  # type: ignore[union-attr]
    assert fitted("hits", task={"input": "right"}).model_.head.reads == "right"  # type: ignore[union-attr]


def test_events_beside_classes() -> None:
    predictor = fitted(["kind", "hits"], fusion={"clock": 0.5})
    head: Any = predictor.model_.head  # type: ignore[union-attr]
    assert isinstance(head, TogetherHead) and [type(one) for one in head.heads] == [PredictHead, EventsHead]
    said = predictor.predict(table(6))
    assert list(said.columns) == ["kind", "hits"]
    assert {"kind.accuracy", "hits.map"} <= set(predictor.evaluate(table()))


def test_lags_are_a_fusion_of_their_own() -> None:
    predictor = fitted(
        "delay", ("note",), task={"type": "synchrony", "clock": 0.5, "most": 1.0}, fusion={"dropout": 0.0}
    )
    model: Any = predictor.model_
    assert isinstance(model.fusion, LagFusion) and isinstance(model.head, SplitHead)
    assert model.fusion.pair == ("left", "right") and model.fusion.lags == 2
    assert {"accuracy", "delay_mae"} <= set(predictor.evaluate(table()))
    assert set(predictor.predict(table(6))) <= {"in step", "500 ms late", "out of step"} | set(
        predictor.predict(table(6))
    )
    assert torch.isfinite(model.fusion.scale)


@pytest.mark.parametrize(
    ("target", "ignored", "options", "words"),
    [
        ("hits", (), {}, "left, right have a time: with fusion.clock=SECONDS they answer together"),
        ("hits", ("left", "right"), {}, r"none of the inputs \(tabular\) has a time"),
        ("hits", (), {"task": {"input": "lefd"}}, "task.input: unknown input with a time 'lefd'"),
        ("hits", (), {"task": {"input": "left"}, "fusion": {"clock": 0.5}}, "leave out task.input=left"),
        ("hits", (), {"fusion": {"method": "late_mean"}}, "no distribution"),
        ("hits", (), {"fusion": {"method": "linear"}}, "answers a row at a time; events needs another"),
        ("hits", (), {"train": {**TRAIN, "auxiliary": 0.3}}, "train.auxiliary asks each modality for its own answer"),
        (
            "delay",
            ("note",),
            {"task": {"type": "synchrony"}, "fusion": {"method": "gated"}},
            "fusion.method=gated: synchrony",
        ),
        ("delay", ("note",), {"task": {"type": "synchrony"}, "fusion": {"clock": 0.5}}, "fusion.clock=0.5: synchrony"),
        ("delay", (), {"task": {"type": "synchrony"}}, "--type tabular=ignore"),
    ],
)
def test_what_contradicts_itself(target: str, ignored: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        fitted(target, ignored, **options)
