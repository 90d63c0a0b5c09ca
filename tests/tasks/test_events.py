"""Events: recognised, learned at steps, answered in seconds; and a model that finds spikes in series."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait import Predictor
from plait.data.table import Table
from plait.errors import DataError, DataWarning
from plait.layers.ragged import Ragged
from plait.modalities import Sample
from plait.tasks import Events, guess_task
from plait.tasks.asked import Asked

TICKS = np.stack([np.arange(10), np.arange(1, 11)], axis=1).astype(float)


def task_of(cells: list[Any], **options: Any) -> Events:
    table = Table.from_frame(pd.DataFrame({"y": pd.Series(cells, dtype=object)}))
    return Events.from_table(Asked(table, np.arange(len(cells)), "y"), **options)


def events(*spans: tuple[float, float], label: str = "hit") -> list[dict[str, Any]]:
    return [{"start": start, "end": end, "label": label} for start, end in spans]


def perfect(task: Events, cells: list[Any]) -> Ragged:
    """What a model says that has learned everything, of ten steps of a second."""
    truth = task.encode(cells)
    steps = Ragged(
        torch.from_numpy(np.tile(np.concatenate([np.zeros((10, task.out_dim)), TICKS], 1), (len(cells), 1))),
        [10] * len(cells),
    )
    _, target, _ = task.items(steps, truth)
    return Ragged(np.concatenate([target.nan_to_num().numpy(), np.tile(TICKS, (len(cells), 1))], axis=1), steps.lengths)


@pytest.mark.parametrize(
    "cells",
    [
        [events((1, 2)), []],
        [json.dumps(events((1, 2))), "[]"],
        [[], [{"segment": [1, 2]}]],
    ],
)
def test_lists_of_events_are_recognised(cells: list[Any]) -> None:
    assert guess_task(Sample("y", cells, len(cells), 2)) == ("events", "its cells are lists of events with their start")


@pytest.mark.parametrize(
    "cells", [[["red"], ["red", "big"]], ["a;b", "[c]"], [[], []], [[{"label": "x"}], []], ["[1, 2]", "[]"]]
)
def test_other_lists_are_not(cells: list[Any]) -> None:
    assert Events.recognise(Sample("y", cells, len(cells), 2)) is None


def test_events_of_one_length_are_peaks_and_others_spans() -> None:
    alike = task_of([events((1, 1.25)), events((2, 2.25), (3, 3.26))])
    assert (alike.find, alike.length) == ("peaks", pytest.approx(0.25)) and alike.default_metric == "map"
    unlike = task_of([events((1, 1.25)), events((2, 4), (3, 8))])
    assert unlike.find == "spans" and "runs of them" in unlike.describe()
    assert task_of([events((1, 1.25)), events((2, 4))], find="peaks").find == "peaks"
    moments = task_of([[{"start": 1}], [{"start": 2}]])
    assert (moments.find, moments.length, moments.default_metric) == ("peaks", 0, "point_map")
    assert moments.labels == ["event"] and not any(name.startswith("map") for name in moments.measures)


def test_no_event_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="the target holds no event"):
        task_of([[], []])


@pytest.mark.parametrize("find", ["peaks", "spans"])
def test_what_is_learned_perfectly_scores_as_much(find: str) -> None:
    cells = [events((1.0, 2.0), (5.0, 6.0)) + events((3, 4), label="miss"), [], events((8.0, 9.0))]
    task = task_of(cells, find=find)
    said = perfect(task, cells)
    scores = task.score(task.encode(cells), said)
    assert set(scores) == set(task.measures) and min(scores.values()) == 1
    assert [len(row) for row in task.answers(said)] == [3, 0, 1]
    (cell,) = task.columns("y", said[2])["y"]
    assert json.loads(cell) == [{"start": 8.0, "end": 9.0, "label": "hit", "score": 1.0}]
    assert task.encode([cell]).rows() == task.encode([cells[2]]).rows()  # an answer may be a target
    card = task.card(said[1], task.encode(cells)[1], cells[1])
    assert (card.given, card.true, card.right) == ("nothing", "nothing", True)
    wrong = task.card(said[1], task.encode(cells)[2], cells[2])
    assert (wrong.true, wrong.right) == ("hit 8–9 s", False)
    unknown = task.card(said[2], task.encode([None]), None)
    assert (unknown.given, unknown.true, unknown.right) == ("hit 8–9 s", "not known", None)
    lines, bars = task.figures(task.encode(cells), said)
    assert bars.data[0] == {"hit": 1.0, "miss": 1.0} and lines.data[0][1] == ([(8, 9, "hit", 1)], [(8, 9, "hit", 1)])


def test_labels_that_training_never_saw_and_events_behind_the_end_are_said() -> None:
    cells = [events((1.0, 2.0)), events((3.0, 4.0), (5.0, 6.0))]
    task = task_of(cells)
    with pytest.warns(DataWarning, match=r"1 events have labels that training never saw \(whistle\)"):
        assert not task.encode([events((1, 2), label="whistle")]).lengths[0]
    late = task.encode([events((1.0, 2.0)), events((30.0, 31.0))])
    with pytest.warns(DataWarning, match="1 events begin after the end of what was read"):
        assert task.score(late, perfect(task, cells))["map"] < 1


def test_unknown_rows_teach_nothing_and_empty_ones_do() -> None:
    cells = [events((1.0, 2.0)), [], None]
    task = task_of(cells[:2])
    truth = task.encode(cells)
    assert task.unusable(truth).tolist() == [False, False, True]
    logits = torch.zeros(30, 3, requires_grad=True)
    steps = Ragged(
        logits + torch.from_numpy(np.tile(np.concatenate([np.zeros((10, 1)), TICKS], 1), (3, 1))).float(), [10] * 3
    )
    flat, target, _ = task.items(steps, truth)
    task.loss(flat, target).backward()
    assert logits.grad is not None
    assert logits.grad[10:20, 0].all() and not logits.grad[20:].any() and not logits.grad[:, 1:].any()


def spikes(rows: int, seed: int) -> pd.DataFrame:
    """Series of 40 steps a tenth of a second apart, with spikes; and a switch that says whether they count."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        values = 0.1 * random.normal(size=40)
        places = random.choice(np.arange(2, 38, 4), random.integers(1, 4), replace=False)
        values[places] += 3
        counts = random.random() < 0.5
        hits = [{"start": p / 10 - 0.1, "end": p / 10 + 0.1, "label": "spike"} for p in sorted(places.tolist())]
        records = [{"time": t / 10, "value": v} for t, v in enumerate(values.tolist())]
        found.append((records, ["off", "on"][counts], json.dumps(hits if counts else [])))
    return pd.DataFrame(found, columns=["signal", "switch", "events"])


@pytest.mark.parametrize("clock", [pytest.param(None, marks=pytest.mark.slow), 0.1])
def test_a_model_finds_spikes_where_a_switch_lets_them_count(clock: float | None, tmp_path: Path) -> None:
    signal = {"encoder": "scratch:series_transformer", "patch": 1, "layers": 1, "dim": 32, "heads": 2}
    predictor = Predictor(
        "events", inputs={"signal": signal}, fusion={"dim": 32, "clock": clock}, types={"switch": "category", "signal": "series"},
        head={"hidden": 32}, data={"val": 0.2}, output=tmp_path / "run", verbose=False,
        train={"epochs": 16, "batch_size": 16, "learning_rate": 0.01, "device": "cpu", "precision": "float32"},
    ).fit(spikes(120, 0))  # fmt: skip
    new = spikes(40, 1)
    scores = predictor.evaluate(new)
    assert scores["map@0.5"] > 0.9 and scores["f1@0.5"] > 0.8
    said = Predictor.load(tmp_path / "run").predict(new)
    off = [not row for row, switch in zip(said, new["switch"], strict=True) if switch == "off"]
    assert np.mean(off) > 0.8
    parts = {one.name: one for one in predictor.modalities(new).modalities}
    assert parts["tabular"].absent < scores["map"]
    assert "spike" in (tmp_path / "run" / "report.html").read_text()
