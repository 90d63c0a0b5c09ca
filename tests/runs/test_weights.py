"""How much each row counts, whichever way a model is trained."""

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import make
from plait import Predictor
from plait.data.table import Table
from plait.errors import DataError, RecipeError
from plait.recipe import Recipe
from plait.runs.weights import row_weights, weighed
from plait.tasks import Classification, Multilabel, Regression, Targets

WAYS = ["concat", "late_stacking", "boosted", "linear", "kernel_sum", "kernel_product"]


def lies(rows: int = 200) -> pd.DataFrame:
    """Most rows say the opposite of the few that count."""
    random = np.random.default_rng(0)
    size, other = random.normal(size=rows), random.normal(size=rows)
    trusted = np.arange(rows) % 3 == 0
    answer = np.where((size > 0) == trusted, "yes", "no")
    return pd.DataFrame({"size": size, "other": other, "answer": answer, "trust": np.where(trusted, 1.0, 0.01)})


@pytest.mark.parametrize("method", [WAYS[0], pytest.param(WAYS[1], marks=pytest.mark.slow), *WAYS[2:]])
def test_rows_that_count_more_decide(method: str) -> None:
    frame = lies()
    loops = {"epochs": 30, "learning_rate": 0.02, "batch_size": 32} if method in ("concat", "late_stacking") else {}
    train = {"device": "cpu", **loops}
    options = {"output": False, "fusion": method, "train": train, "verbose": False}
    right = frame[frame["trust"] == 1.0]
    plain = Predictor("answer", data={"val": "none"}, **options, types={"trust": "ignore"}).fit(frame)
    weighed = Predictor("answer", data={"val": "none", "weight": "trust"}, **options).fit(frame)
    assert weighed.score(right) > 0.8 and (method == "boosted" or plain.score(right) < 0.6)
    assert "trust" not in weighed.inputs_["tabular"].columns


def test_numbers_and_labels_are_weighed_too() -> None:
    frame = lies()
    frame["number"] = np.where(frame["trust"] == 1.0, 1.0, -1.0) * frame["size"]
    frame["tags"] = [["big"] if word == "yes" else ["small"] for word in frame["answer"]]
    frame = frame.drop(columns="answer")
    options = {"output": False, "data": {"val": "none", "weight": "trust"}, "verbose": False}
    right = frame[frame["trust"] == 1.0]
    for method in ("linear", "kernel_sum", "boosted", "concat"):
        train = {"device": "cpu", **({"epochs": 30, "learning_rate": 0.02} if method == "concat" else {})}
        number = Predictor("number", types={"tags": "ignore"}, fusion=method, train=train, **options).fit(frame)
        assert number.score(right) > 0.6
        tags = Predictor("tags", types={"number": "ignore"}, fusion=method, train=train, **options).fit(frame)
        assert tags.evaluate(right)["f1_micro"] > 0.8


@pytest.mark.parametrize(
    ("task", "logits", "truth"),
    [
        (Classification(["a", "b", "c"]), torch.randn(6, 3), torch.tensor([0, 1, 2, -1, 1, 0])),
        (Classification(["a", "b", "c"], [1.0, 2.0, 3.0], 0.1), torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 0])),
        (Multilabel(["a", "b"]), torch.randn(6, 2), torch.tensor([[0.0, 1.0]] * 5 + [[1.0, 1.0]])),
        (Regression(1.0, 2.0), torch.randn(6, 1), torch.tensor([1.0, 2.0, float("nan"), 0.0, 5.0, -1.0])),
    ],
)
def test_weights_of_one_change_no_loss_and_others_scale_each_row(task, logits, truth) -> None:
    plain = task.loss(logits, truth)
    torch.testing.assert_close(task.loss(logits, truth, torch.ones(6)), plain)
    torch.testing.assert_close(task.loss(logits, truth, torch.full((6,), 3.0)), 3 * plain)
    only = torch.tensor([0.0, 1, 0, 0, 0, 0])
    rest = task.loss(logits, truth) - task.loss(logits, truth, 1 - only)
    torch.testing.assert_close(task.loss(logits, truth, only), rest)


def test_tokens_have_the_weight_of_their_row() -> None:
    from plait.types import Tokens

    targets = Targets({"y": Classification(["a", "b"])})
    tokens = Tokens(torch.randn(2, 3, 2), torch.tensor([[True, True, True], [True, False, False]]))
    truth = torch.tensor([[0, 1, 0], [1, -1, -1]])
    first = targets.loss({"y": tokens}, {"y": truth}, torch.tensor([1.0, 0.0]))
    each = torch.nn.functional.cross_entropy(tokens.x[0], truth[0], reduction="sum")
    torch.testing.assert_close(first, each / 4)


def test_weights_are_read_and_their_mean_is_one() -> None:
    table = Table.from_frame(pd.DataFrame({"w": ["2", "0", "4,5"], "y": [1, 2, 3]}))
    with pytest.raises(DataError, match="row 3: column 'w': expected a number, got '4,5'"):
        row_weights(Recipe.parse({"data": {"weight": "w"}}), table)
    assert row_weights(Recipe(), table) is None
    kept, weights = weighed(np.array([0, 1, 3]), np.array([2.0, 0.0, 9.0, 4.0]), "t")
    assert kept.tolist() == [0, 3] and weights[kept].mean() == 1.0 and weights[3] == 2 * weights[0]
    with pytest.raises(DataError, match="the weight of every training row is zero"):
        weighed(np.array([1]), np.zeros(2), "t")


@pytest.mark.parametrize(
    ("cell", "said"), [(-1.0, "expected a weight from 0 on, got -1.0"), (None, "got nan|got None")]
)
def test_weights_that_are_none_are_refused(cell: object, said: str) -> None:
    frame = lies(20)
    frame["trust"] = [*[1.0] * 19, cell]
    with pytest.raises(DataError, match=f"row 20, column 'trust': {said}"):
        make("answer", data={"weight": "trust"}).fit(frame)


def test_a_loss_that_takes_no_weights_says_so() -> None:
    frame = pd.DataFrame({"a": [f"word {n}" for n in range(8)], "b": [f"other {n}" for n in range(8)], "w": [1.0] * 8})
    predictor = Predictor(task={"type": "retrieval"}, data={"weight": "w"}, output=False, verbose=False)
    with pytest.raises(RecipeError, match="the loss of retrieval takes no weights of rows; data.repeat"):
        predictor.fit(frame)
