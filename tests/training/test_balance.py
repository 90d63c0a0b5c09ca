"""Gradient modulation and gradient blending against hand-worked numbers and numpy."""

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
from plait.training.balance import GradientModulation, modulation
from plait.training.blending import JOINT, Losses, blend_weights
from plait.training.objective import Objective
from plait.training.settings import TrainSettings
from plait.types import Batch, Input, Output, Tokens, UnimodalOutput

TARGETS = Targets({"y": Classification(["a", "b", "c"])})


def two_modalities() -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        {"a": FakeEncoder(), "b": FakeEncoder()}, ConcatFusion({"a": 8, "b": 8}, 16), PredictHead(16, {"y": 3})
    )


def test_coefficients_by_hand() -> None:
    three = modulation({"a": (8.0, 10), "b": (4.0, 10), "c": (0.0, 0)}, strength=0.3)
    assert three == {"a": pytest.approx(1 - np.tanh(0.3 * 2)), "b": 1.0, "c": 1.0}
    of_three = modulation({"a": (9.0, 10), "b": (4.0, 10), "c": (2.0, 10)}, strength=1.0)
    assert of_three["a"] == pytest.approx(1 - np.tanh(0.9 / 0.3)) and of_three["b"] == of_three["c"] == 1.0
    assert modulation({"a": (5.0, 10)}, 1.0) == {"a": 1.0}


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


def test_steps_are_scaled_and_gradients_get_noise_of_their_own_size() -> None:
    encoder = torch.nn.Linear(400, 300)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=1.0)  # the paper's: a step is the gradient
    torch.manual_seed(1)
    gradient = torch.randn(300, 400) * 0.02
    change = GradientModulation({"a": encoder, "b": torch.nn.Linear(2, 2)}, TARGETS.row_loss, 0.5)
    said = {
        "a": UnimodalOutput({"y": torch.tensor([[9.0, 0, 0]])}, torch.tensor([True])),
        "b": UnimodalOutput({"y": torch.zeros(1, 3)}, torch.tensor([True])),
    }

    def changed(step: int) -> torch.Tensor:
        torch.nn.init.zeros_(encoder.weight)
        torch.nn.init.zeros_(encoder.bias)
        encoder.weight.grad, encoder.bias.grad = gradient.clone(), torch.ones(300)
        change.note(Output({}, torch.zeros(1, 1), {}, said), {"y": torch.tensor([0])})
        with change(step):
            optimizer.step()
        return -encoder.weight.detach().clone() / factor

    factor = 1 - np.tanh(0.5 * 3 * np.exp(9) / (np.exp(9) + 2))
    noise = changed(7) - gradient
    assert float(noise.std()) == pytest.approx(0.02, rel=0.02) and abs(float(noise.mean())) < 1e-3
    assert encoder.bias.tolist() == pytest.approx([-factor] * 300)  # vectors get none
    first = changed(7)
    assert torch.equal(changed(7), first) and not torch.equal(changed(8), first)


def test_frozen_encoders_can_not_be_slowed() -> None:
    model = two_modalities()
    for _, encoder in model.encoders.items():
        encoder.requires_grad_(False)
    with pytest.raises(RecipeError, match="all of them are frozen"):
        Objective(TrainSettings(gradient_modulation=0.5), TARGETS, model)


def test_blend_weights_by_hand() -> None:
    before = {"text": Losses(1.0, 1.1), "photo": Losses(1.0, 1.1), JOINT: Losses(1.0, 1.1)}
    after = {"text": Losses(0.4, 0.6), "photo": Losses(0.1, 0.8), JOINT: Losses(0.2, 0.5)}
    # gains 0.5, 0.3, 0.6; overfitting 0.2 - 0.1, 0.7 - 0.1, 0.3 - 0.1
    raw = np.array([0.5 / 0.01, 0.3 / 0.36, 0.6 / 0.04])
    assert list(blend_weights(before, after).values()) == pytest.approx(raw / raw.sum(), abs=1e-5)
    worse = {**after, "photo": Losses(0.1, 1.2)}
    assert blend_weights(before, worse)["photo"] == 0.0
    lucky = {"text": Losses(0.5, 0.6), "photo": Losses(0.5, 0.6)}  # no overfitting at all: counts as a tenth
    assert blend_weights(before, lucky) == {"text": 0.5, "photo": 0.5}
    assert blend_weights(before, {"text": Losses(1.0, 2.0), "photo": Losses(1.0, 2.0)}) == {"text": 0.5, "photo": 0.5}


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    size = random.normal(size=80)
    return pd.DataFrame({"size": size, "title": ["a", "b"] * 40, "answer": np.where(size > 0, "yes", "no")})


INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
TRAIN = {"epochs": 2, "device": "cpu", "precision": "float32"}


@pytest.mark.parametrize("fusion", ["concat", "late_mean"])
def test_a_run_estimates_its_blend_once_and_keeps_it(tmp_path: Path, fusion: str) -> None:
    train = {**TRAIN, "gradient_blending": 2}
    made = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", train=train, fusion=fusion, verbose=False)
    made.fit(frame())
    found = made.run_.read_json("blending.json")
    assert set(found) == {"tabular", "title", JOINT} and sum(found.values()) == pytest.approx(1, abs=1e-5)
    assert found["tabular"] > found["title"]  # the title says nothing
    assert "gradient blending, weights" in (tmp_path / "run" / "report.html").read_text()
    made.run_.write_json("blending.json", {"tabular": 0.0, "title": 1.0, JOINT: 0.0})
    resumed = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", verbose=False).fit(frame(), resume=True)
    assert resumed.run_.read_json("blending.json")["title"] == 1.0


def test_settings_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    for given, said in (
        ({"gradient_blending": 2, "auxiliary": 0.3}, "leave auxiliary at 0"),
        ({"gradient_modulation": 0.5, "shard": True}, "needs whole gradients"),
    ):
        with pytest.raises(RecipeError, match=said):
            Predictor("answer", train=given)
    with pytest.raises(RecipeError, match="data.val is none"):
        Predictor(
            "answer", output=tmp_path / "run", train={**TRAIN, "gradient_blending": 1}, data={"val": "none"},
            inputs=INPUTS, verbose=False,
        ).fit(frame())  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_a_modulated_run_resumes_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    from plait.data.batches import TensorSource
    from plait.data.plan import BatchPlan
    from plait.training.loop import train

    generator = torch.Generator().manual_seed(0)
    x = {
        n: {"x": torch.randn(24, 2, 4, generator=generator), "mask": torch.ones(24, 2, dtype=torch.bool)} for n in "ab"
    }
    source = TensorSource(x, {"y": torch.randint(0, 3, (24,), generator=generator)})
    plan = BatchPlan(np.arange(24), 8)

    def trained(epochs: list[int], folder: Path) -> MultimodalModel:
        for number, last in enumerate(epochs):
            model = two_modalities()
            settings = TrainSettings(
                epochs=last, schedule="constant", precision="float32", device="cpu", gradient_modulation=0.8
            )
            objective = Objective(settings, TARGETS, model)
            around = objective.around_step
            train(model, source, plan, objective, settings, folder=folder, resume=number > 0, around_step=around)
        return model

    for part in ("whole", "cut"):
        (tmp_path / part).mkdir()
    whole, cut = trained([4], tmp_path / "whole"), trained([2, 4], tmp_path / "cut")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, cut.state_dict()[name]), name


def test_absent_tokens_stand_in_for_what_is_masked() -> None:
    model = two_modalities()
    model = MultimodalModel(dict(model.encoders.items()), model.fusion, model.head, missing_token=True)
    model.score_masked = True
    tokens = {name: Tokens(torch.randn(3, 2, 8), torch.ones(3, 2, dtype=torch.bool)) for name in "ab"}
    said = model.train()._masked(tokens)
    learned = model.absent["b"](Tokens(tokens["b"].x, torch.zeros(3, 2, dtype=torch.bool)))
    with torch.no_grad():
        expected = model.eval().head(model.fusion({"a": tokens["a"], "b": learned}))["y"]
    torch.testing.assert_close(said["a"].predictions["y"], expected)
