"""Gradient modulation and gradient blending against hand-worked numbers and numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fakes import FakeEncoder
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.tasks import Classification, Targets
from plait.training.balance import GradientModulation, modulation
from plait.training.objective import Objective
from plait.training.settings import TrainSettings
from plait.types import Output, UnimodalOutput

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
