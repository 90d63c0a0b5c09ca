"""Numbers, in the user's units."""

import numpy as np
import pandas as pd
import pytest
import torch

from plait import Predictor
from plait.errors import DataError, RecipeError
from plait.tasks import Regression


def test_regression_answers_in_the_users_units() -> None:
    task = Regression.fit(["10", None, 14], "price")
    assert (task.mean, task.std) == (12, 2)
    target = torch.from_numpy(task.encode([10, None]))
    assert task.loss(torch.tensor([[0.0], [5.0]]), target).item() == pytest.approx(1.0)
    assert task.predictions(torch.tensor([[-1.0]])).tolist() == [10.0]
    with pytest.raises(DataError, match="needs targets that vary, got only 3"):
        Regression.fit([3, 3])


def table(rows: int = 160) -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers and a text that says nothing; and the sum of both, of mean 0 and deviation 1."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, rows))
    titles = [f"a {word} thing" for word in random.choice(["red", "blue"], rows)]
    total = (a + b - (a + b).mean()) / (a + b).std()
    return pd.DataFrame({"a": a, "b": b, "title": titles}), total


def test_small_differences_of_large_numbers_survive() -> None:
    """float32 holds 1,000,000.1 to a sixteenth: a target of deviation 0.1 would lose most of what it says."""
    total = table()[1]
    task = Regression.fit(1e6 + 0.1 * total)
    encoded = task.encode(1e6 + 0.1 * total)
    np.testing.assert_allclose(task.scaled(encoded), total, atol=1e-6)
    exact = torch.from_numpy(total).float()[:, None]
    assert float(task.loss(exact, torch.from_numpy(encoded))) < 1e-9
    np.testing.assert_allclose(task.predictions(exact), 1e6 + 0.1 * total, rtol=1e-13)


def test_other_losses_are_torchs_on_the_standard_scale() -> None:
    said, truth = torch.tensor([[0.5], [-4.0], [1.0]]), torch.tensor([12.0, 10.0, torch.nan], dtype=torch.float64)
    wanted = {"mse": torch.nn.MSELoss(), "mae": torch.nn.L1Loss(), "huber": torch.nn.HuberLoss()}
    for name, loss in wanted.items():
        task = Regression(10.0, 2.0, loss=name)  # type: ignore[arg-type]
        expected = loss(said[:2, 0], torch.tensor([1.0, 0.0]))
        torch.testing.assert_close(task.loss(said, truth), expected, check_dtype=False)
        assert Regression(**task.to_json()).of_loss == name
    assert Regression(loss="mae").default_metric == "mae" and Regression().default_metric == "rmse"


def test_a_recipe_names_the_loss_and_closed_forms_do_not_read_it() -> None:
    frame = pd.DataFrame({"x": np.arange(40) / 7.0, "y": np.arange(40) / 3.0})
    predictor = Predictor("y", task={"loss": "mae"}, train={"device": "cpu", "epochs": 1}).fit(frame)
    assert predictor.targets_.tasks["y"].to_json()["loss"] == "mae"
    with pytest.raises(
        RecipeError, match=r"task\.loss: nothing reads it here, it belongs to fusions that are networks"
    ):
        Predictor("y", task={"loss": "mae"}, fusion="linear", train={"device": "cpu"}).fit(frame)
