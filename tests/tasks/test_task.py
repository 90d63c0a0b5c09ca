"""What a task of one's own need not say."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.data.table import Table
from plait.errors import RecipeError
from plait.layers.spaces import Binary, Real, Space
from plait.tasks.task import Task


class Bare(Task):
    """Says as little as it may: a number for each letter."""

    kind = "bare"
    default_metric = "rmse"
    out_dim = 1

    def __init__(self, space: Space | None = None, rate: int = 1) -> None:
        self._space, self.rate = space, rate

    @property
    def space(self) -> Space | None:
        return self._space

    def encode(self, values: Any, lenient: bool = False) -> np.ndarray:
        return np.array([-1.0 if value is None else len(value) * self.rate for value in values])

    def predictions(self, logits: Any) -> Any:
        return logits.numpy()

    def answers(self, predictions: Any) -> list[Any]:
        return [f"{float(value):.1f}" for value in np.ravel(predictions)]

    def to_json(self) -> dict[str, Any]:
        return {"rate": self.rate}


def test_truth_is_read_from_the_target_where_the_table_has_it() -> None:
    table = Table.from_frame(pd.DataFrame({"y": ["aa", None, "b"]}))
    assert Bare().read(table, "y").tolist() == [2, -1, 1] and Bare().read(table, "z") is None
    assert Bare().unseen(np.zeros(3)).tolist() == [False] * 3 and Bare().strata(np.zeros(3)) is None
    with pytest.raises(RecipeError, match="bare has neither read nor encode"):
        Task.encode(Bare(), [])


def test_a_teacher_must_be_of_the_same_options() -> None:
    assert Bare(Real()).agrees(Bare(Real())) is None and Bare(Real()).agrees(Bare(Real(), rate=2)) == "other classes"
    assert "nothing to distil" in str(Bare().agrees(Bare()))
    given, wanted = torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [1.0]])
    assert Bare(Real()).distance(given, wanted, wanted, 1.0).tolist() == [4.0, 0.0]


def test_who_answers_every_row_alike_says_the_mean_or_the_share() -> None:
    said = Bare(Real()).constant(np.array([[1.0], [2.0], [6.0]]), rows=2)
    assert said is not None and said.tolist() == [[3.0], [3.0]]
    logit = Bare(Binary(1)).constant(np.array([[1.0], [1.0], [1.0], [0.0]]), rows=1)
    assert logit is not None and 1 / (1 + np.exp(-logit[0, 0])) == pytest.approx(0.75, abs=1e-6)
    assert Bare().constant(np.array([1.0]), rows=1) is None


def test_answers_stand_under_the_targets_name_and_beside_the_truth() -> None:
    assert Bare().columns("y", np.array([1.0, 2.0])) == {"y": ["1.0", "2.0"]}
    card = Bare().card(np.array([2.0]), np.array([1.0]), "aa")
    assert (card.given, card.true, card.right, card.share) == ("2.0", "aa", None, "")
    assert Bare().needs("y") == "no column 'y' (the target)"
