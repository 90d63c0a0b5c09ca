"""What is learned from: losses, and the remedies where one modality wins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import FakeEncoder, fake_batch
from plait import Predictor
from plait.errors import RecipeError
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.tasks import Classification, Targets
from plait.training.objective import Objective
from plait.training.settings import TrainSettings
from plait.types import Batch, Input, Tokens

TRAIN = {"epochs": 12, "device": "cpu", "precision": "float32", "learning_rate": 0.005, "batch_size": 16}

INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}


def dominated(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Both answer alike, but the number at once and the text only after learning words."""
    random = np.random.default_rng(seed)
    answer = random.choice(["yes", "no"], rows)
    words = {"yes": ["ape", "bee", "cow", "dog", "elk"], "no": ["fig", "gum", "hay", "ivy", "jam"]}
    titles = [f"{random.choice(words[said])} {random.integers(99)}" for said in answer]
    return pd.DataFrame(
        {"size": (answer == "yes") * 4.0 - 2 + random.normal(size=rows) / 4, "title": titles, "answer": answer}
    )


REMEDIES = [{"modality_dropout": 0.4}, {"auxiliary": 1.0}, {"gradient_modulation": 0.5}, {"gradient_blending": 2}]


@pytest.mark.parametrize("remedy", [REMEDIES[0], *(pytest.param(one, marks=pytest.mark.slow) for one in REMEDIES[1:])])
def test_remedies_keep_the_weaker_modality_learning(tmp_path: Path, remedy: dict[str, float]) -> None:
    scores = {}
    for name, options in (("plain", {}), ("remedy", remedy)):
        predictor = Predictor(
            "answer", inputs=INPUTS, output=tmp_path / name, verbose=False, fusion={"method": "sum", "dim": 32},
            train={**TRAIN, "epochs": 5, "learning_rate": 0.003, **options},
        ).fit(dominated())  # fmt: skip
        report = predictor.modalities(dominated(seed=1))
        assert report.all > 0.95
        scores[name] = {one.name: one.alone for one in report.modalities}["title"]
        assert len(Predictor.load(tmp_path / name).predict(dominated(20))) == 20  # auxiliary heads load too
    assert scores["remedy"] >= scores["plain"] and scores["remedy"] > 0.9


TARGETS = Targets({"y": Classification(["a", "b", "c"])})


def two_modalities() -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        {"a": FakeEncoder(), "b": FakeEncoder()}, ConcatFusion({"a": 8, "b": 8}, 16), PredictHead(16, {"y": 3})
    )


def test_scores_are_the_likelihood_with_the_others_masked() -> None:
    model, batch = two_modalities(), fake_batch()
    objective = Objective(TrainSettings(gradient_modulation=0.5), TARGETS, model.train())
    objective(model, batch)
    assert objective.modulation is not None and model.fusion.training and model.head.training
    model.eval()
    for name, other in (("a", "b"), ("b", "a")):
        inputs = {name: batch.inputs[name], other: Input({}, torch.full((6, 1), -1))}
        logits = model(Batch(inputs, {}, batch.rows)).predictions["y"].detach().numpy()
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        likelihood = shares[np.arange(6), batch.targets["y"].numpy()]
        here = np.array([name == "a" or row > 0 for row in range(6)])  # row 0 lacks b
        total, rows = objective.modulation.sums[name].tolist()
        assert total == pytest.approx(likelihood[here].sum(), rel=1e-5) and rows == here.sum()


def test_frozen_encoders_can_not_be_slowed() -> None:
    model = two_modalities()
    for _, encoder in model.encoders.items():
        encoder.requires_grad_(False)
    with pytest.raises(RecipeError, match="all of them are frozen"):
        Objective(TrainSettings(gradient_modulation=0.5), TARGETS, model)


def test_absent_tokens_stand_in_for_what_is_masked() -> None:
    model = two_modalities()
    model = MultimodalModel(dict(model.encoders.items()), model.fusion, model.head, missing_token=True)
    model.score_masked = True
    tokens = {name: Tokens(torch.randn(3, 2, 8), torch.ones(3, 2, dtype=torch.bool)) for name in "ab"}
    said = model.train()._masked(tokens)
    learned = model.missing_tokens["b"](Tokens(tokens["b"].x, torch.zeros(3, 2, dtype=torch.bool)))
    with torch.no_grad():
        expected = model.eval().head(model.fusion({"a": tokens["a"], "b": learned}))["y"]
    torch.testing.assert_close(said["a"].predictions["y"], expected)
