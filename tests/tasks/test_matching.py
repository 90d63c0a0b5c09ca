"""Matching: drawn non-matches, and runs that tell which pairs belong together."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plait.data.table import Table
from plait.fusion import FUSIONS
from plait.heads import PredictHead
from plait.predictor import Predictor
from plait.tasks import Matching, draw_matches
from plait.tasks.matching import draw_others
from plait.types import Tokens

TWO = ({"photo": ["photo"], "title": ["title"]}, {"photo": "image", "title": "text"})


@pytest.mark.parametrize(
    ("method", "hidden", "sees"),
    [("sum", 0, False), ("concat", 0, False), ("sum", 32, True), ("product", 0, True), ("mlb", 0, True)],
)
def test_what_adds_a_part_of_each_side_cannot_match(method: str, hidden: int, sees: bool) -> None:
    """Eight kinds, each with a vector a side. A linear logit is f(image) + g(text), whatever is learned."""
    torch.manual_seed(0)
    sides = {"photo": torch.randn(8, 16), "title": torch.randn(8, 12)}
    fusion, head = FUSIONS[method]({"photo": 16, "title": 12}, 16), PredictHead(16, {"match": 1}, hidden)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=0.01)

    def logits(photos: torch.Tensor, titles: torch.Tensor) -> torch.Tensor:
        drawn = {name: sides[name][kinds] for name, kinds in (("photo", photos), ("title", titles))}
        tokens = {name: Tokens.single(x + 0.3 * torch.randn_like(x)) for name, x in drawn.items()}
        found: torch.Tensor = head(fusion(tokens))["match"][:, 0]
        return found

    for _ in range(100):
        photos, right = torch.randint(8, (256,)), torch.rand(256) < 0.5
        titles = torch.where(right, photos, (photos + torch.randint(1, 8, (256,))) % 8)
        torch.nn.functional.binary_cross_entropy_with_logits(logits(photos, titles), right.float()).backward()
        optimizer.step()
        optimizer.zero_grad()
    photos = torch.arange(8).repeat(100)
    found = [(logits(photos, (photos + 1 + at) % 8) > 0).float().mean() for at in range(8)]
    accuracy = float(found[7] + 1 - torch.stack(found[:7]).mean()) / 2
    assert accuracy > 0.95 if sees else accuracy < 0.6


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=40), st.integers(0, 9))
def test_drawn_others_are_no_matches(pairs: list[tuple[int, int]], seed: int) -> None:
    codes = np.array(pairs)
    taken = draw_others(codes, np.random.default_rng(seed), tries=60)
    for row, other in enumerate(taken):
        if other >= 0:
            assert (codes[row] >= 0).all() and (codes[other] >= 0).all()
            assert (codes[row] != codes[other]).all()


def test_a_table_with_drawn_non_matches() -> None:
    frame = pd.DataFrame({"photo": [f"{n}.png" for n in range(8)], "title": [f"text {n}" for n in range(8)]})
    task = Matching(*TWO[:1], negatives="random")
    drawn = draw_matches(Table.from_frame(frame), task, seed=3)
    labels = np.array(drawn.cells("match", range(len(drawn))))
    assert len(drawn) == 16 and labels.tolist() == [1] * 8 + [0] * 8
    photos, titles = (drawn.cells(name, range(16)) for name in ("photo", "title"))
    agree = [p.split(".")[0] == t.split()[1] for p, t in zip(photos, titles, strict=True)]
    assert agree == [True] * 8 + [False] * 8
    assert task.read(drawn)[:, 0].tolist() == labels.tolist()


QUICK = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}


@pytest.mark.parametrize("negatives", ["random", "hard"])
def test_a_matching_run_with_drawn_non_matches(negatives: str, colours: Path, tmp_path: Path) -> None:
    task = {"type": "matching", "negatives": negatives}
    predictor = Predictor(task=task, output=tmp_path / "m", train=QUICK, verbose=False).fit(colours)
    found = predictor.evaluate(colours)
    assert set(found) == {"accuracy", "average_precision", "roc_auc", "log_loss"}
    assert found == predictor.evaluate(colours)  # the same non-matches each time
    assert predictor.predict_proba(colours).shape == (48, 2) and predictor.classes_.tolist() == ["no", "yes"]
    assert Predictor.load(tmp_path / "m").evaluate(colours) == pytest.approx(found, abs=1e-6)
    assert "Answers: match" in (tmp_path / "m" / "report.html").read_text()


@pytest.mark.slow
def test_matching_learns_from_labels(colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", task={"type": "matching"}, output=tmp_path / "m", fusion="product", data={"val": "none"},
        inputs={"photo": {"encoder": "scratch:cnn"}, "title": {"encoder": "scratch:bag"}},
        train={**QUICK, "epochs": 60, "learning_rate": 0.003}, types={"price": "ignore", "shade": "ignore"}, verbose=False,
    ).fit(colours)  # fmt: skip
    assert predictor.evaluate(colours)["accuracy"] > 0.9  # yes where photo and title name one colour


@pytest.mark.parametrize("fusion", [name for name, made in FUSIONS.items() if made.stage == "late"])
def test_matching_by_the_answers_of_each_modality(fusion: str, colours: Path, tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", task={"type": "matching"}, output=tmp_path / "m", fusion=fusion, data={"val": 0.2},
        inputs={"title": {"encoder": "scratch:bag"}}, types={"photo": "ignore"},
        train={**QUICK, "epochs": 2}, verbose=False,
    ).fit(colours)  # fmt: skip
    probabilities = predictor.predict_proba(colours)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.shape == (48, 2) and probabilities[:, 1].std() > 0
