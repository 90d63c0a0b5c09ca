"""Retrieval: losses, scores, and runs from table to answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.alignment import info_nce, sigmoid_loss, triplet_loss
from plait.data.table import Table
from plait.predictor import Predictor
from plait.tasks import Retrieval
from plait.tasks.retrieval import LOSSES

TWO = ({"photo": ["photo"], "title": ["title"]}, {"photo": "image", "title": "text"})


def vectors(rows: int, sides: int, dim: int = 5, bias: float = 0.0) -> torch.Tensor:
    torch.manual_seed(rows + sides)
    unit = torch.nn.functional.normalize(torch.randn(rows, sides, dim), dim=2)
    return torch.cat([unit * 2.0, torch.full((rows, sides, 1), bias)], dim=2)  # scaled by two: logits are 4 cosines


def of_pairs(name: str, x: torch.Tensor, y: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize
    if name == "info_nce":
        return info_nce(x, y, 1.0, same)
    if name == "sigmoid":
        return sigmoid_loss(x, y, 1.0, -1.0, same)
    return triplet_loss(unit(x, dim=1), unit(y, dim=1), 0.2, same)


@pytest.mark.parametrize("name", LOSSES)
class TestLosses:
    def test_it_is_the_loss_of_rows_that_have_both(self, name: Any, *_: object) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(6, 2, bias=-1.0)
        codes = torch.tensor([[0, 0], [1, 1], [2, -1], [3, 3], [-1, 4], [4, 5]])
        kept = [0, 1, 3, 5]
        x, y = given_[kept, 0, :-1], given_[kept, 1, :-1]
        expected = of_pairs(name, x, y, torch.eye(4, dtype=torch.bool))
        assert torch.allclose(task.loss(given_, codes), expected)

    def test_twins_are_no_negatives(self, name: Any) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(5, 2)
        codes = torch.tensor([[0, 0], [0, 1], [1, 2], [2, 2], [3, 4]])  # an image of two texts, a text of two images
        same = torch.eye(5, dtype=torch.bool)
        same[0, 1] = same[1, 0] = same[2, 3] = same[3, 2] = True
        bias = given_[:, 0, -1].mean()
        x, y = given_[:, 0, :-1], given_[:, 1, :-1]
        expected = sigmoid_loss(x, y, 1.0, bias, same) if name == "sigmoid" else of_pairs(name, x, y, same)
        assert torch.allclose(task.loss(given_, codes), expected)

    def test_both_directions_count_alike(self, name: Any) -> None:
        task, given_ = Retrieval(*TWO, loss=name), vectors(7, 2)
        codes = torch.arange(7)[:, None].expand(-1, 2)
        assert torch.allclose(task.loss(given_, codes), task.loss(given_.flip(1), codes))

    def test_three_sides_are_the_mean_over_the_anchors_pairs(self, name: Any) -> None:
        sides = {n: [n] for n in ("photo", "title", "sound")}
        task = Retrieval(sides, {"photo": "image", "title": "text", "sound": "text"}, anchor="title", loss=name)
        given_, codes = vectors(6, 3), torch.arange(6)[:, None].expand(-1, 3)
        two = Retrieval({"a": ["a"], "b": ["b"]}, {"a": "text", "b": "text"}, anchor="a", loss=name)
        parts = [two.loss(given_[:, [1, other]], codes[:, :2]) for other in (0, 2)]
        assert torch.allclose(task.loss(given_, codes), torch.stack(parts).mean())

    def test_a_batch_without_pairs_has_no_loss_and_gradients(self, name: Any) -> None:
        given_ = vectors(3, 2).requires_grad_()
        loss = Retrieval(*TWO, loss=name).loss(given_, torch.tensor([[0, -1], [1, -1], [-1, 2]]))
        loss.backward()
        assert loss == 0 and given_.grad is not None and not given_.grad.any()


def test_metrics_have_the_fields_names_and_count_twins_once() -> None:
    task = Retrieval(*TWO)
    codes = np.array([[0, 0], [0, 1], [1, 2], [2, 3]])
    x, y = np.eye(3, 5, dtype=np.float32), np.eye(3, 5, dtype=np.float32)
    rows = np.stack([np.stack([x[p], y[t]]) for p, t in [(0, 0), (0, 0), (1, 2), (2, 1)]])
    found = task.score(codes, rows)
    # texts 0 and 1 find their image; 2 and 3 are exchanged. Of three images one finds a text of its own.
    assert found["img_r1"] == 0.5 and found["txt_r1"] == pytest.approx(1 / 3)
    assert set(found) == set(task.measures)
    three = Retrieval({n: [n] for n in "abc"}, dict.fromkeys("abc", "text"))
    assert "b_by_a_r1" in three.measures and "a_by_c_r5" in three.measures


def test_a_row_without_a_side_has_no_similarity() -> None:
    given_ = vectors(3, 2)
    given_[1, 1, :-1] = 0
    task = Retrieval(*TWO)
    found = task.columns("pairs", task.predictions(given_))["similarity_title"]
    cosine = torch.nn.functional.cosine_similarity(given_[:, 0, :-1], given_[:, 1, :-1])
    assert np.isnan(found[1]) and found[[0, 2]] == pytest.approx(cosine[[0, 2]].numpy(), abs=1e-6)


QUICK = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_retrieval_run_from_table_to_answers(loss: str, colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(task={"type": "retrieval", "loss": loss}, output=tmp_path / "r", train=QUICK, verbose=False)
    predictor.fit(colours)
    assert list(predictor.inputs_) == ["photo", "title"]  # prices and answers are nothing to be found by
    found = predictor.embed(colours)
    assert {name: x.shape for name, x in found.items()} == {"photo": (48, 256), "title": (48, 256)}
    again = Predictor.load(tmp_path / "r")
    assert np.allclose(again.embed(colours)["title"], found["title"], atol=1e-5)
    assert again.evaluate(colours) == pytest.approx(predictor.evaluate(colours), abs=1e-6)
    frame = pd.read_csv(colours).drop(columns="photo")
    assert np.isnan(again.embed(Table.from_frame(frame))["photo"]).all()
    report = (tmp_path / "r" / "report.html").read_text()
    assert "What is found" in report and report.count('class="card asked"') >= 4  # some of val's texts


def test_numbers_and_texts_and_pictures_around_an_anchor(colours: Path, tmp_path: Path) -> None:
    inputs = {"photo": {"modality": "image"}, "title": {"modality": "text"}, "price": {"modality": "number"}}
    task = {"type": "retrieval", "anchor": "title"}
    predictor = Predictor(task=task, inputs=inputs, output=tmp_path / "r", train=QUICK, verbose=False).fit(colours)
    assert "tabular_by_title_r1" in predictor.metrics_["val"] and "title_by_photo_r10" in predictor.metrics_["val"]


def test_captions_of_one_picture_stay_on_one_side(colours: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(colours)
    twice = pd.concat([frame, frame.assign(title="the same image again, in other words")])
    twice.to_csv(colours.parent / "twice.csv", index=False)
    predictor = Predictor(task={"type": "retrieval"}, output=tmp_path / "r", train=QUICK, verbose=False)
    predictor.fit(colours.parent / "twice.csv")
    judged = pd.read_parquet(tmp_path / "r" / "predictions.parquet")["row"].to_numpy() - 1
    held = set(twice["photo"].to_numpy()[judged])
    assert len(judged) == 2 * len(held)  # both texts of each
