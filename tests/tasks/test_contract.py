"""Contract tests over `TASKS`: each made from one table, as a recipe makes it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.build.tasks import options_of
from plait.data.table import Table
from plait.layers.ragged import Ragged
from plait.processors import TargetText
from plait.tasks import TASKS, Card, Figure, Targets, Task
from plait.tasks.asked import Asked
from plait.types import Generated

every_task = pytest.mark.parametrize("kind", TASKS)
SIDES = {"title": ["title"], "note": ["note"]}
TARGETS: dict[str, list[Any]] = {
    "classification": ["a", "b", "c", "a", "b", None],
    "multilabel": [["a"], ["a", "b"], [], ["b"], ["a"], None],
    "regression": [1.5, 2.5, 7.0, 1.0, 0.5, None],
    "generation": ["a red bird", "two fish", "a tree", "one stone", "a red fish", None],
    "matching": ["yes", "no", "yes", "no", "yes", None],
    "retrieval": [1, 2, 3, 4, 5, None],  # it has none: a row that lacks a side
    "events": [[{"start": 0.1, "end": 0.3, "label": "a"}], [], [{"start": 1, "end": 1.2, "label": "b"}], [], [], None],
    "synchrony": [0, 120, "yes", "no", -300, None],
}
MODALITIES = {"synchrony": {"title": "video", "note": "audio"}}
STEPS = [4, 3, 5, 2, 1, 3]  # of rows, where a task answers step by step


def table_of(kind: str) -> Table:
    cells = TARGETS[kind]
    titles = [f"title {n}" for n in range(6)]
    if TASKS[kind].usual_name is not None and kind not in ("matching",):
        titles = [title if cell is not None else None for title, cell in zip(titles, cells, strict=True)]
    frame = pd.DataFrame({"title": titles, "note": [f"note {n}" for n in range(6)], "price": range(6)})
    return Table.from_frame(frame.assign(y=pd.Series(cells, dtype=object)))


def words(cells: Sequence[Any], most: int, short: bool) -> tuple[TargetText, None]:
    return TargetText.train([cell for cell in cells if cell], 300, most), None


def made(kind: str) -> tuple[str, Task, Any]:
    """Name, task and truth."""
    table = table_of(kind)
    target = "y" if TASKS[kind].joint else None
    asked = Asked(table, np.arange(5), target, SIDES, MODALITIES.get(kind, dict.fromkeys(SIDES, "text")), words=words)
    task = TASKS[kind].from_table(asked, **options_of(kind))
    name = target or str(TASKS[kind].usual_name)
    truth = task.read(table, name)
    assert truth is not None and len(truth) == 6
    return name, task, truth


def raw(task: Task, rows: int = 6, seed: int = 0) -> Any:
    """What a model would give."""
    generator = torch.Generator().manual_seed(seed)
    if task.writes is not None:
        ids = torch.randint(3, 40, (rows, 5), generator=generator)
        return Generated(ids, torch.randn(rows, generator=generator), torch.rand(rows, generator=generator))
    if task.stepwise:  # with the seconds of each step behind the logits
        where = torch.cat([torch.stack([torch.arange(n), torch.arange(1, n + 1)], dim=1) / 2 for n in STEPS[:rows]])
        logits = torch.randn(len(where), task.out_dim, generator=generator, requires_grad=True)
        return Ragged(torch.cat([logits, where], dim=1), STEPS[:rows])
    shape = (rows, task.out_dim) if task.joint else (rows, task.out_dim, 5)
    return torch.randn(*shape, generator=generator, requires_grad=True)


def predicted(task: Task, given: Any) -> Any:
    """What is scored and kept of it."""
    if isinstance(given, Ragged):
        return given.map(torch.Tensor.detach).map(task.predictions)
    return task.predictions(given if task.writes is not None else given.detach())


@every_task
def test_it_says_what_it_is(kind: str) -> None:
    _, task, _ = made(kind)
    assert task.kind == kind and task.default_metric in task.measures and task.__doc__
    assert (task.space is None) or task.space.width == task.out_dim
    assert TASKS[kind].alone or TASKS[kind].usual_name is None


@every_task
def test_it_is_written_out_and_read_again(kind: str) -> None:
    name, task, truth = made(kind)
    targets = Targets({name: task}, {name: 2.0})
    again = Targets.from_json(targets.to_json())
    assert again.to_json() == targets.to_json() and again.weights == {name: 2.0}
    read = again.tasks[name].read(table_of(kind), name)
    assert truth is not None and len(read) == len(truth)
    for one, other in zip(read, truth, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.tasks[name].agrees(task) is None or not task.joint


@every_task
def test_rows_without_a_target_are_known_and_teach_nothing(kind: str) -> None:
    _, task, truth = made(kind)
    assert task.unusable(truth).tolist() == [False] * 5 + [True]
    assert task.unseen(truth).shape == (6,)
    given, target = raw(task), truth.tensor() if isinstance(truth, Ragged) else torch.from_numpy(truth)
    targets = Targets({"y": task})
    rows = targets.row_loss({"y": given}, {"y": target})
    assert rows.shape == (6,) and rows.isfinite().all()
    whole = targets.loss({"y": given}, {"y": target})
    assert whole.ndim == 0 and whole.isfinite()
    if task.joint and task.writes is None:
        assert rows[5] == 0
        torch.testing.assert_close(whole, targets.loss({"y": given[:5]}, {"y": target[:5]}))
        flat = given.flat if isinstance(given, Ragged) else given
        (gradient,) = torch.autograd.grad(whole, flat)
        last = STEPS[5] if isinstance(given, Ragged) else 1
        assert gradient.isfinite().all() and not gradient[-last:].any() and gradient[:-last].any()


@every_task
def test_predictions_answers_columns_and_scores_are_of_rows(kind: str) -> None:
    name, task, truth = made(kind)
    given = raw(task)
    predictions = predicted(task, given)
    answers = task.answers(predictions)
    assert len(predictions) == len(answers) == 6
    for values in task.columns(name, predictions).values():
        assert len(values) == 6
    usable = ~task.unusable(truth)
    scores = task.score(truth[usable], predictions[usable])
    assert set(scores) <= set(task.measures) and all(np.isfinite(value) for value in scores.values())
    some = list(scores)[:1]
    assert task.score(truth[usable], predictions[usable], some) == {n: scores[n] for n in some}
    order = np.array([4, 2, 0, 1, 3])
    again = task.score(truth[usable][order], predictions[usable][order])
    assert again == pytest.approx(scores)
    assert task.score(truth[:0], predictions[:0]) == {}
    assert task.answers(predictions[order]) == [answers[place] for place in order]


@every_task
def test_what_a_report_shows(kind: str) -> None:
    _, task, truth = made(kind)
    predictions = predicted(task, raw(task))
    assert all(isinstance(figure, Figure) for figure in task.figures(truth[:5], predictions[:5]))
    if task.joint:
        card = task.card(predictions[:1], truth[:1], TARGETS[kind][0])
        assert isinstance(card, Card) and card.given and card.true and card.right in (True, False, None)
        sample = task.sample(predictions[:1], truth[:1])
        assert (sample is not None) == (task.writes is not None)
    assert task.needs("y")


@every_task
def test_a_constant_answer_is_that_of_its_space(kind: str) -> None:
    _, task, truth = made(kind)
    guess = task.constant(truth[:5], 4)
    assert guess is not None or task.space is None
    if guess is not None:
        assert len(guess) == 4 and np.isfinite(guess).all()
        assert len({str(row) for row in guess.tolist()}) == 1
        task.answers(guess)
