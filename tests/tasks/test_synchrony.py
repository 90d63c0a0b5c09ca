"""In step or not, and by how much."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from plait.data.table import Table
from plait.errors import DataError, DataWarning, RecipeError
from plait.tasks import Synchrony
from plait.tasks.asked import Asked

TASK = Synchrony(("clip", "clip:audio"), clock=0.1, most=0.3, tolerance=0.05)  # -300, -200, … 300 ms, none


def logits(*probable: int) -> torch.Tensor:
    out = torch.zeros(len(probable), 8)
    out[range(len(probable)), list(probable)] = 9.0
    return out


def test_a_delay_between_two_lags_belongs_to_both() -> None:
    truth = torch.from_numpy(TASK.encode([0, 120, -300, 700, -310]))
    expected = torch.zeros(5, 8)
    expected[0, 3] = expected[2, 0] = expected[3, 7] = 1
    expected[1, 4], expected[1, 5] = 0.8, 0.2
    expected[4, 0], expected[4, 7] = 0.9, 0.1
    torch.testing.assert_close(TASK.shares(truth).float(), expected, atol=1e-6, rtol=0)


def test_what_is_learned_is_said() -> None:
    truth = torch.from_numpy(TASK.encode([0, 120, -300, 700]))
    best = TASK.shares(truth).clamp(min=1e-9).log()
    found = TASK.predictions(best)
    np.testing.assert_allclose(TASK.delay(found)[:3], [0, 0.12, -0.3], atol=1e-6)
    assert TASK.answers(found) == ["in step", "120 ms late", "300 ms early", "out of step"]
    columns = TASK.columns("y", found)
    assert columns["y"] == ["yes", "no", "no", "no"] and np.isnan(columns["y_delay_ms"][3])
    scores = TASK.score(truth.numpy(), found)
    assert scores["accuracy"] == 1 and scores["delay_mae"] == pytest.approx((0 + 0 + 0 + 1000) / 4, abs=1e-3)


def test_yes_and_no_are_learned_without_milliseconds() -> None:
    truth = torch.from_numpy(TASK.encode(["yes", "no", "no", True]))
    right, wrong = logits(3, 7, 0, 3), logits(0, 3, 3, 7)
    assert TASK.loss(right, truth) < 0.01 < 5 < TASK.loss(wrong, truth)
    given = torch.zeros(4, 8, requires_grad=True)
    TASK.loss(given, truth).backward()
    assert given.grad is not None and given.grad[0, 3] < 0 < given.grad[1, 3]


def test_the_delay_agrees_with_the_verdict() -> None:
    spread = torch.tensor([[0.0, 2, 2, 2.4, 2, 2, 0, 0]])  # 0 is the most probable lag, but not a likely one
    found = TASK.predictions(spread)
    assert TASK.in_step(found)[0] < 0.5 and abs(TASK.delay(found)[0]) >= 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"between": ("a",)}, "expected two inputs, got a"),
        ({"clock": 0.0}, "task.most: expected from 1 to 1,000 times"),
        ({"clock": 0.5, "most": 0.2}, "task.most: expected from 1 to 1,000 times"),
        ({"clock": 1e-5}, "task.most: expected from 1 to 1,000 times"),
        ({"tolerance": 2.0}, "task.tolerance: expected from 0"),
    ],
)
def test_times_that_do_not_fit(options: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Synchrony(**{"between": ("a", "b"), **options})  # type: ignore[arg-type]


def asked(modalities: dict[str, str]) -> Asked:
    table = Table.from_frame(pd.DataFrame({name: ["a", "b"] for name in modalities} | {"y": [0, 100]}))
    return Asked(table, np.arange(2), "y", {name: [name] for name in modalities}, modalities)


def test_which_inputs_it_is_between() -> None:
    assert Synchrony.from_table(asked({"s": "audio", "v": "video"})).between == ("v", "s")
    both = asked({"left": "series", "right": "series"})
    assert Synchrony.from_table(both).between == ("left", "right")
    assert Synchrony.from_table(both, between=["right", "left"]).between == ("right", "left")


@pytest.mark.parametrize(
    ("modalities", "between", "words"),
    [
        ({"v": "video"}, None, "between two inputs with a time, got v; the sound of a video is one with"),
        ({"v": "video", "s": "audio", "t": "text"}, None, "leave out the others with --type t=ignore"),
        ({"v": "video", "s": "audio"}, ["v", "t"], "t is no input with a time; those are v, s"),
    ],
)
def test_what_it_can_not_be_between(modalities: dict[str, str], between: list[str] | None, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Synchrony.from_table(asked(modalities), between=between)


def test_cells_that_say_nothing() -> None:
    with pytest.raises(DataError, match="row 2: expected milliseconds, yes or no, got 'soon'"):
        TASK.encode([10, "soon"])
    assert np.isnan(TASK.encode(["soon"], lenient=True)).all()
    with pytest.warns(DataWarning, match="seconds must be times 1,000"):
        TASK.encode([0.12, 0.3, 0, 0.2, 0.1, 0.4, 0.2, 0, 0.1, 0.2, 0.3, 0.1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TASK.encode([0.0] * 20)


def test_a_constant_answer_is_what_the_table_says() -> None:
    truth = TASK.encode([0, 0, 100, 900, "yes", "no"])
    guess = TASK.constant(truth, 2)
    np.testing.assert_allclose(guess[0], [0, 0, 0, 3 / 6, 1 / 6, 0, 0, 2 / 6], atol=1e-9)


def test_a_card_is_right_where_the_delay_is() -> None:
    found = TASK.predictions(logits(3, 5, 1, 7, 7))
    truth = TASK.encode([0, 150, 250, 900, 200])
    cards = [TASK.card(found[row : row + 1], truth[row : row + 1], None) for row in range(5)]
    assert [card.right for card in cards] == [True, True, False, True, False]
    assert (cards[2].given, cards[2].true) == ("200 ms early", "250 ms late")
